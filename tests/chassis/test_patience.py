"""A request has its time, and more of it only for what takes longer the more people there are."""

from __future__ import annotations

import pytest
from pymongo import _csot

from chassis.running.answering import Patience
from chassis.running.http import Ctx


async def test_what_is_said_to_take_longer_may_and_the_rest_of_the_request_may_not() -> None:
    ctx = object.__new__(Ctx)
    ctx._patience = Patience(5.0)
    ctx._patience.begin()
    usual = ctx._patience.until
    with ctx.taking(600.0):
        assert (_csot.get_timeout(), ctx._patience.until > usual + 500) == (600.0, True)
    assert (_csot.get_timeout(), ctx._patience.until < usual + 500) == (5.0, True)
    with pytest.raises(ZeroDivisionError), ctx.taking(600.0):
        raise ZeroDivisionError
    assert _csot.get_timeout() == 5.0
    ctx._patience.end()
    assert _csot.get_timeout() is None
