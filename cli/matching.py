"""What commands ask of matching, for one program."""

from cli import running
from cli.explained import Json
from cli.screen import as_json, out


def call(method: str, program: str | None, path: str, body: Json) -> Json:
    """Give a command."""
    told = running.stack()
    return running.request(told, method, "matching", f"/programs/{running.program(told, program)}{path}", json=body)


def read(program: str | None, path: str, **query: str | None) -> Json:
    """Ask for something."""
    told = running.stack()
    params = {name: value for name, value in query.items() if value}
    return running.read(told, "matching", f"/programs/{running.program(told, program)}{path}", params=params)


def items_of(program: str | None, path: str) -> list[Json]:
    """Every item of a list, page by page."""
    items: list[Json] = []
    after: str | None = ""
    while after is not None:
        page = read(program, path, limit="200", after=after)
        items += page["items"]
        after = page["next"]
    return items


def done(answer: Json, text: str, json: bool) -> None:
    """Show what a command did."""
    if json:
        as_json(answer)
    else:
        out.print(text)
