"""One process of a tally service, as its program runs it, with its connections led through the test's proxies."""

from __future__ import annotations

import ctypes
import os
import signal
import socket
import sys
from pathlib import Path
from typing import Any

from fastapi import Request
from pydantic import BaseModel

from chassis.deciding.commands import Origin, body_digest, command_id
from chassis.deciding.decider import On
from chassis.running import program
from chassis.testing.tally import Add, TallyServices
from tests.chaos import points
from tests.planted import plant_from_environment

_PR_SET_PDEATHSIG = 1


class Order(BaseModel):
    """A command to a writer: add to each of the things, as one."""

    key: str
    program: str
    things: list[str]
    amount: int
    times: int = 1


def identity(key: str) -> str:
    """The command id of an order's key."""
    return command_id("chaos", key)


def main(told: dict[str, Any]) -> None:
    """Run for ever. `told`: name and echo of the tally services, service, env, routes (port to port), folder, log."""
    ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
    log = os.open(told["log"], os.O_WRONLY | os.O_CREAT | os.O_APPEND)
    os.dup2(log, 1)
    os.dup2(log, 2)
    os.environ.update(told["env"])
    sys.argv = ["tally"]
    lead(told["routes"])
    plant_from_environment()
    points.install(Path(told["folder"]))
    tally = TallyServices(told["name"], echo=told["echo"])
    _take_orders(tally)
    program.run(tally.writer if told["service"] == "writer" else tally.hearer)


def lead(routes: dict[int, int]) -> None:
    """Let every connection of this process to one of these ports of 127.0.0.1 go to another one instead.

    Servers tell clients where they are; like this they need not know of any proxy.
    """
    connect = socket.socket.connect

    def led(self: socket.socket, address: Any) -> None:
        if isinstance(address, tuple) and address[1] in routes:
            address = (address[0], routes[address[1]], *address[2:])
        connect(self, address)

    setattr(socket.socket, "connect", led)  # noqa: B010


def _take_orders(tally: TallyServices) -> None:
    @tally.writer.router.post("/add")
    async def add(request: Request, order: Order) -> dict[str, Any]:
        origin = Origin(identity(order.key), body_digest(order.model_dump_json()), correlation="chaos")
        command = Add(program=order.program, amount=order.amount, times=order.times)
        streams = [tally.totals.stream(order.program, thing) for thing in order.things]
        outcome = await request.app.state.runtime.run(origin, *(On(tally.totals, s, command) for s in streams))
        return {"after": outcome.after, "repeated": outcome.repeated}
