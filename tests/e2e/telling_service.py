"""Runs a service that fails where it is told to: `python -m tests.e2e.telling_service services.<name>`.

A request with the header `x-fail` raises an error with that text in it, in its handler or from the database's driver.
"""

import logging
import runpy
import sys
from typing import Any

from pymongo.errors import BulkWriteError

from chassis.running.http import Ctx
from tests.planted import plant_from_environment

_INIT = Ctx.__init__


def failing(self: Ctx, request: Any, *given: Any) -> None:
    """Begin a request as ever, or fail with its words."""
    if text := request.headers.get("x-fail"):
        logging.getLogger("some.library").warning("cannot read %s", text)
        try:
            raise BulkWriteError({"writeErrors": [{"errmsg": text, "op": {"name": text}}], "code": 11000})
        except BulkWriteError as error:
            if request.headers.get("x-by") == "database":
                raise
            raise ValueError(text) from error
    _INIT(self, request, *given)


if __name__ == "__main__":
    plant_from_environment()
    Ctx.__init__ = failing  # type: ignore[method-assign, assignment]
    sys.argv = sys.argv[1:]
    runpy.run_module(sys.argv[0], run_name="__main__")
