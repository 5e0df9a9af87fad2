"""What request bodies have in common."""

from __future__ import annotations

from typing import Annotated

from pydantic import StringConstraints

from chassis.running.http import Body

Text = Annotated[str, StringConstraints(strip_whitespace=True, min_length=1, max_length=2000)]
"""Words that only the pair ever reads."""


class Nothing(Body):
    """Nothing needs to be said: an empty object, or no body at all."""


NOTHING = Nothing()
