"""Generations of a topic: one that was lost, cut short or has too few partitions is filled again under another name."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from chassis.running.mongo import MAJORITY_READ, Database, Document, Session
from contracts.streams import FIRST, generation_name

COLLECTION = "marks"


@dataclass(frozen=True)
class Lane:
    """Where the facts of a topic are said: the generation that is live, and its partitions."""

    topic: str
    generation: int
    partitions: int

    @property
    def name(self) -> str:
        return generation_name(self.topic, self.generation)


@dataclass(frozen=True)
class Generations:
    """Which generation of each topic is live, where it is not the first."""

    lanes: dict[str, Lane]
    partitions: int

    def lane(self, topic: str) -> Lane:
        """Where the facts of this topic are said."""
        return self.lanes.get(topic) or Lane(topic, FIRST, self.partitions)

    def names(self, topics: Iterable[str]) -> dict[str, int]:
        """The live generations of these topics by name, with their partitions."""
        return {lane.name: lane.partitions for lane in map(self.lane, topics)}


async def live(database: Database, partitions: int) -> Generations:
    """What is live, as a service's database says; `partitions` are those of a first generation."""
    doc = await database.collection(COLLECTION, read_concern=MAJORITY_READ).find_one({"_id": "generations"}) or {}
    lanes = {row["topic"]: Lane(**row) for row in doc.get("topics", ())}
    return Generations(lanes, partitions)


async def change(database: Database, lane: Lane, seen: Generations, session: Session) -> None:
    """Make a generation the live one, within a transaction."""
    lanes = {**seen.lanes, lane.topic: lane}
    topics: list[Document] = [vars(each).copy() for each in lanes.values()]
    await database.collection(COLLECTION).update_one(
        {"_id": "generations"}, {"$set": {"topics": topics}}, upsert=True, session=session
    )
