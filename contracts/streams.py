"""Stream names: `<scope>/<category>/<id>`, where the scope is a program or `org`; and who may hear a category."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from functools import lru_cache

ORG = "org"
"""The scope of what spans programs."""
HEARTBEAT = "heartbeat"
"""How the keys of those records on compacted topics begin that say nothing and only let Kafka tidy up what is before
them."""


class Audience(StrEnum):
    """Who may hear the facts of a category."""

    public = "public"
    """On `counterpoint.<service>.events`: other systems may subscribe."""
    internal = "internal"
    """On `counterpoint.<service>.internal`: Counterpoint's own services only."""
    sealed = "sealed"
    """In the owner's journal only: never published."""


@dataclass(frozen=True)
class Category:
    """One kind of stream: it belongs to one service and has one audience.

    A gap in the versions of a stream is noticed because all of them travel on one topic; that is why the audience
    belongs to the category and never to a single fact.
    """

    name: str
    service: str
    audience: Audience
    orgwide: bool = False

    def stream(self, scope: str, id: str) -> str:
        """The name of the stream of one thing."""
        if not scope or "/" in scope or (scope == ORG) != self.orgwide:
            raise ValueError(f"{scope!r} cannot be the scope of a {self.name} stream")
        return f"{scope}/{self.name}/{id}"

    @property
    def topic(self) -> str | None:
        """The Kafka topic its facts travel on; None where they are sealed."""
        match self.audience:
            case Audience.public:
                return f"counterpoint.{self.service}.events"
            case Audience.internal:
                return f"counterpoint.{self.service}.internal"
        return None


FIRST = 1
"""The generation of a topic that has its own name."""


def generation_name(topic: str, generation: int) -> str:
    """What a generation of a topic is called: a topic that is filled again gets another name, and the same facts."""
    return topic if generation == FIRST else f"{topic}.g{generation}"


@lru_cache(maxsize=1024)
def topic_of(name: str) -> str:
    """The topic that this is the name of a generation of."""
    topic, _, generation = name.rpartition(".g")
    return topic if topic and generation.isdecimal() else name


def parts(stream: str) -> tuple[str, str, str]:
    """Scope, category name and id of a stream name."""
    scope, _, rest = stream.partition("/")
    category, _, id = rest.partition("/")
    if not (scope and category and id) or "/" in id:
        raise ValueError(f"{stream!r} is not a stream name")
    return scope, category, id
