"""The real folding, driven by what the model's folding was given: documents and rows go in, and come out again."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import UTC, datetime, timedelta
from typing import Any, NamedTuple

from chassis.receiving.folding import Folding
from chassis.receiving.parking import heard_row
from chassis.receiving.records import Heard
from chassis.receiving.tasks import Task, Tasks
from chassis.receiving.views import Row, View, Views
from chassis.testing.tally import TallyServices
from contracts.envelope import Envelope, from_headers
from tests.model.folded import Doc, Fact, Rows, drain, hear

INBOX = "model"
PROGRAM = "pr_" + "a" * 26
AT = datetime(2026, 1, 5, tzinfo=UTC)
DIGESTS = ("a" * 64, "b" * 64)


class Asked(NamedTuple):
    """What the model's folding was asked: hear a fact, or try again where there is none."""

    doc: Doc
    rows: Rows
    fact: Fact | None
    broken: frozenset[Fact]

    def answer(self) -> tuple[Doc, Rows]:
        """The model's."""
        if self.fact is None:
            return drain(self.doc, self.rows, self.broken)
        return hear(self.doc, self.rows, self.fact, self.broken)


class Effects(Row):
    """Every version that took effect, in the order in which they did."""

    effects: tuple[int, ...] = ()


class _Nowhere:
    def collection(self, name: str, **more: Any) -> None: ...


class RealFolding:
    """One hearer of a tally whose fold raises where it is told to; a fact's amount is its version."""

    def __init__(self) -> None:
        services = TallyServices("model")
        self.services = services
        self.raises: frozenset[Fact] = frozenset()

        def fold(row: Effects, fact: Any, at: datetime) -> Effects:
            if any(f.version == fact.amount for f in self.raises):
                raise ValueError("broken")
            return Effects(effects=(*row.effects, fact.amount))

        async def nothing(fact: Any, work: Any) -> None: ...

        self.view = View("effects", services.tally, Effects, fold, frozenset({services.Added}))
        self.views = Views(_Nowhere(), "views", [self.view])  # type: ignore[arg-type]
        self.tasks = Tasks([Task("note", services.Added, nothing)])
        self.stream = services.totals.stream(PROGRAM, "one")

    def heard(self, fact: Fact) -> Heard:
        said = self.services.Added(program=PROGRAM, amount=fact.version)
        envelope = Envelope(
            service=self.services.tally.service, type="Added", v=1, stream=self.stream, version=fact.version, at=AT,
            digest=DIGESTS[fact.other], commit=f"c{fact.version}", first=fact.version, last=fact.version,
            command="x", correlation="model",
        )  # fmt: skip
        return Heard(envelope, said.encode().encode(), said)

    def answer(self, asked: Asked) -> tuple[Doc, Rows]:
        """The real code's. Fails where what it would write is refused, or does not tell those who write it too."""
        self.raises = asked.broken
        rows = [heard_row(INBOX, self.heard(f), AT + timedelta(seconds=n)) for n, f in enumerate(asked.rows)]
        documents = {} if asked.doc == Doc() else {self.stream: self._document(asked.doc, len(rows))}
        waiting = {self.stream: rows} if rows else {}
        folding = Folding(
            documents, waiting, self.views, self.tasks, {}, self.services.catalog, INBOX, AT + timedelta(minutes=1)
        )
        if asked.fact is None:
            folding.retry(self.stream)
        else:
            folding.hear(self.heard(asked.fact))
        known = {row["_id"]: row for row in rows}
        fresh = {row["_id"]: row for row in folding.parked}
        assert not known.keys() & fresh.keys(), "a row is parked that is there already: the insert is refused"
        assert len(fresh) == len(folding.parked) and known.keys() >= set(folding.drained)
        left = [row for id, row in {**known, **fresh}.items() if id not in folding.drained]
        found = self._read(folding.documents[self.stream]), self._rows(left)
        assert found == (asked.doc, asked.rows) or self.stream in folding.changed, "it changes without a write"
        said = [int(row["event"].rpartition("@")[2]) for row in folding.rows]
        assert (*asked.doc.effects, *said) == found[0].effects, "tasks and effects differ"
        return found

    def _document(self, doc: Doc, waiting: int) -> dict[str, Any]:
        made = {
            "_id": self.stream,
            "view": self.view.name,
            "scope": PROGRAM,
            "v": doc.version,
            "digest": DIGESTS[doc.other] if doc.version else "",
            "doc": {"effects": list(doc.effects)},
        }
        if doc.parked:
            reason, version = doc.parked
            made["parked"] = {"reason": reason, "version": version, "detail": "", "since": "", "waiting": waiting}
        return made

    @staticmethod
    def _read(document: dict[str, Any]) -> Doc:
        parked = document.get("parked")
        return Doc(
            document["v"],
            DIGESTS.index(document["digest"]) if document["digest"] else 0,
            tuple(document["doc"]["effects"]),
            (parked["reason"], parked["version"]) if parked else (),
        )

    @staticmethod
    def _rows(rows: Iterable[dict[str, Any]]) -> Rows:
        ordered = sorted(rows, key=lambda row: (row["version"], row["at"]))
        digests = [from_headers([(k, bytes(v)) for k, v in row["headers"]]).digest for row in ordered]
        return tuple(Fact(0, row["version"], DIGESTS.index(d)) for row, d in zip(ordered, digests, strict=True))
