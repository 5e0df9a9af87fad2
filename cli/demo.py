"""`counterpoint demo`: the whole story on a real Kafka and a real MongoDB, and what it leaves to look at."""

import asyncio
import sys
import time
from contextlib import ExitStack
from pathlib import Path
from typing import Annotated

import typer
from rich.status import Status

from cli import ending, running, ui
from cli.failure import NOT_RUNNING, Failure
from cli.screen import AsJson, as_json, err, out
from cli.stack import data, start, wait
from local import story
from local.stack import Stack
from local.stackfile import StackFile
from local.story.cast import FOUNDER

PATIENCE = 30.0


class Screen:
    """Tells the story line by line; on a terminal a spinner shows that something is going on."""

    def __init__(self, quiet: bool) -> None:
        self._quiet = quiet
        self._began = time.monotonic()
        self._spinner: Status | None = err.status("") if err.is_terminal and not quiet else None
        self._chapter = 0

    def __enter__(self) -> "Screen":
        if self._spinner:
            self._spinner.start()
        return self

    def __exit__(self, *_: object) -> None:
        if self._spinner:
            self._spinner.stop()

    def chapter(self, title: str) -> None:
        """A new part begins."""
        self._chapter += 1
        self.head(f"{self._chapter}  {title}")

    def head(self, title: str) -> None:
        """Something else begins."""
        if not self._quiet:
            out.print(f"\n[bold]{title}[/bold]  [dim]{time.monotonic() - self._began:.1f} s[/dim]")
        if self._spinner:
            self._spinner.update(title)

    def line(self, text: str) -> None:
        """Something happened."""
        if not self._quiet:
            out.print(f"   {text}", markup=False)


def demo(
    keep: Annotated[
        bool | None,
        typer.Option("--keep/--no-keep", help="Stay up afterwards, until Ctrl-C. Default: on a terminal only."),
    ] = None,
    json: AsJson = False,
) -> None:
    """Watch a whole reverse-mentoring program live through its story."""
    stay = keep if keep is not None else sys.stdin.isatty() and sys.stdout.isatty()
    with ExitStack() as cleanup:
        with Screen(json) as screen:
            stack = _running_or_started(cleanup, screen)
            told = running.stack()
            page = cleanup.enter_context(ui.viewing(None)) if stack is not None and stay else None
            if page:
                screen.line(f"See events travel while it lasts: {page}")
            ended = asyncio.run(_tell(told, screen))
            running.remember(told, {"program": ended.program, "personas": ended.personas, "logins": ended.logins})
            shown = ending.collect(told, ended)
        if json:
            as_json(shown)
        else:
            ending.show(told, shown)
        if stack is not None and stay:
            out.print(f"\nSee how events travel: {page}\nEverything stays up. Ctrl-C ends it.")
            wait(stack)


def _running_or_started(cleanup: ExitStack, screen: Screen) -> Stack | None:
    try:
        running.stack()
    except Failure as failure:
        if failure.code != NOT_RUNNING:
            raise
    else:
        screen.head("On the stack that runs already")
        return None
    screen.head("Kafka, MongoDB and four services start")
    stack = Stack(data(), founders=(FOUNDER,), say=screen.line)
    cleanup.enter_context(stack)
    start(stack)
    return stack


async def _tell(told: StackFile, screen: Screen) -> story.Ending:
    try:
        return await story.run(story.Installation.of(told), screen, patience=PATIENCE)
    except story.StoryFailed as failed:
        raise Failure(f"The story broke off: {failed}\nLogs: {Path(told['data']) / 'logs'}") from None
