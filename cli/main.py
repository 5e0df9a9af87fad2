"""`counterpoint`: start the local stack, watch the demo, run a program, and look into what happens."""

import sys
from pathlib import Path
from typing import Annotated

import typer

from cli import (
    asks,
    audit,
    demo,
    erase,
    events,
    health,
    parked,
    rebuild,
    republish,
    reviewing,
    roster,
    rounds,
    running,
    sandbox,
    stack,
    traces,
    ui,
)
from cli.failure import EXIT_CODES, FAILED, Failure
from cli.screen import err
from local.errors import LocalError

app = typer.Typer(
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    help=f"Counterpoint runs reverse-mentoring programs.\n\n{EXIT_CODES}",
)


@app.callback()
def _choose(
    stack_file: Annotated[
        Path, typer.Option("--stack", envvar=running.STACK_VARIABLE, help="The stack.json of the stack that is meant.")
    ] = running.CHOSEN.file,
) -> None:
    running.CHOSEN.file = stack_file.resolve()


app.command("up")(stack.up)
app.command("down")(stack.down)
app.command("demo")(demo.demo)
app.command("import")(roster.import_roster)
rounds.rounds.add_typer(reviewing.reviewing)
app.add_typer(rounds.rounds, name="round")
app.add_typer(asks.asks, name="ask")
app.add_typer(events.events, name="events")
app.command("lag")(health.lag)
app.add_typer(parked.parked, name="parked")
app.command("audit")(audit.audit)
app.command("heal")(audit.heal)
app.command("rebuild")(rebuild.rebuild)
app.add_typer(erase.erase, name="erase")
app.command("republish")(republish.republish)
app.command("trace")(traces.trace)
app.command("ui")(ui.ui)
app.command("sandbox")(sandbox.sandbox)
app.command("token")(stack.token)
app.add_typer(stack.clock, name="clock")


def run() -> None:
    """The entry point. Ends the process with one of the documented exit codes."""
    try:
        app()
    except Failure as failure:
        err.print(f"counterpoint: {failure}", markup=False)
        sys.exit(failure.code)
    except LocalError as error:
        err.print(f"counterpoint: {error}", markup=False)
        sys.exit(FAILED)


if __name__ == "__main__":
    run()
