"""In no interleaving does a late sender's record stay the last one of its key; and wrong designs are found."""

from __future__ import annotations

import pytest

from tests.model.explore import explore
from tests.model.latest import LatestModel

pytestmark = pytest.mark.guarantee("G8")

MODELS = {
    "two relays, three revisions": LatestModel(revisions=3, relays=2, crashes=1),
    "three relays, one revision": LatestModel(revisions=1, relays=3, crashes=1),
}


@pytest.mark.parametrize("name", MODELS)
def test_the_current_record_is_the_last_of_its_key_in_the_end(name: str) -> None:
    explored = explore(MODELS[name])
    assert explored.broken is None, explored.broken
    assert explored.states > 500 and {"write", "read", "send", "mark", "crash", "hear"} <= explored.kinds.keys()


@pytest.mark.parametrize("mistake", ["send it once", "mark what was asked for again"])
def test_a_wrong_design_of_it_is_found(mistake: str) -> None:
    broken = explore(LatestModel(revisions=1, relays=2, crashes=1, mistake=mistake)).broken
    assert broken is not None and "stays on the topic" in broken.what
