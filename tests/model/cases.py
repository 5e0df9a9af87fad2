"""What is explored: every case is a model, small enough to be visited to its last state."""

from __future__ import annotations

from itertools import permutations, product

from tests.model.folded import Fact
from tests.model.inbox import InboxModel
from tests.model.relay import RelayModel


def log(*versions: int) -> tuple[Fact, ...]:
    """Versions of one stream, as they are on a partition."""
    return tuple(Fact(0, version) for version in versions)


TWO = (Fact(0, 1), Fact(1, 1), Fact(0, 2), Fact(0, 1), Fact(1, 2))
REWRITTEN = [Fact(0, 1), Fact(0, 1, 1), Fact(0, 2), Fact(0, 2, 1), Fact(0, 3)]

RELAYS = {
    "two relays, a commit of two facts": RelayModel(((1, 2), (1,)), (0, 0), 2, 2),
    "two relays, two lanes": RelayModel(((1, 1), (1,)), (0, 1), 2, 2),
    "two relays, three streams": RelayModel(((1,), (1,), (1,)), (0, 0, 1), 2, 2),
    "three relays, one stream": RelayModel(((1, 1),), (0,), 3, 2),
    "three relays, two streams, pages of one": RelayModel(((1,), (1,)), (0, 0), 3, 1),
}

INBOXES = {
    "every log of three, two consumers": [InboxModel(tuple(log(*v) for v in product((1, 2, 3), repeat=3)))],
    "repeats, two streams, one consumer": [InboxModel((TWO,), streams=2, consumers=1, batch=3)],
    "processes die": [InboxModel((log(1, 2),), deaths=True)],
    "a transaction that fails for what is in it": [InboxModel((log(1, 2, 1),), unfit=True)],
    "every order of four, each fold broken in turn, an operator": [
        InboxModel(tuple(log(*v) for v in permutations((1, 2, 3, 4))), frozenset(log(broken)), consumers=1)
        for broken in (1, 2, 3, 4)
    ],
    "a broken fold, an operator, two consumers": [InboxModel((log(1, 3, 2),), frozenset(log(2)))],
    "rewritten, in every order": [InboxModel(tuple(permutations(REWRITTEN)), consumers=1, batch=3)],
}

SMALL = ((1, 1), (1,))
MISTAKES = {
    "mark before the answer": RelayModel(SMALL, (0, 0), 2, 3, "mark before the answer"),
    "two batches in flight": RelayModel(SMALL, (0, 0), 2, 3, "two batches in flight"),
    "page by wall clock": RelayModel(((1,), (1,)), (0, 0), 2, 3, "page by wall clock"),
    "mark by a range of keys": RelayModel(SMALL, (0, 0), 2, 3, "mark by a range of keys"),
    "offset only": InboxModel((log(1, 2, 3, 1),), mistake="offset only"),
    "fence by the offset alone": InboxModel((log(1, 2),), mistake="fence by the offset alone"),
    "trust the position": InboxModel((log(1, 2),), mistake="trust the position"),
    "go on with what is held": InboxModel((log(1, 2),), unfit=True, mistake="go on with what is held"),
    "park without conflict": InboxModel(
        (log(1, 2, 3),), frozenset(log(1)), consumers=1, mistake="park without conflict"
    ),
}
