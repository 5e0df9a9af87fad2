"""Who may import whom: the house's table, as a test."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
SERVICES = ("enrollment", "matching", "scheduling", "insights")
OURS = {"contracts", "chassis", "services", "outlet", "cli", "local", "bench", "tests"}
PURE_CONTRACTS = {"contracts.fact", "contracts.types", "contracts.envelope", "contracts.streams", "contracts.catalog"}
PURE_CONTRACTS |= {"contracts.retiring"}
IO = {"motor", "pymongo", "bson", "aiokafka", "faststream", "fastapi", "starlette", "httpx", "opentelemetry", "uvicorn"}
IO |= {"os", "random", "secrets", "time", "socket", "subprocess", "pathlib", "asyncio"}

HOMES = {
    "faststream": {"chassis/receiving/consumer.py"},
    "aiokafka": {
        "chassis/receiving/consumer.py",
        "chassis/receiving/outside.py",
        "chassis/distributing/producer.py",
        "chassis/distributing/reading.py",
        "chassis/distributing/tailing.py",
        "chassis/distributing/topics.py",
        "chassis/testing/broker.py",
    },
    "motor": {"chassis/running/mongo.py"},
    "pymongo": {"chassis/running/mongo.py", "chassis/testing/memory.py", "chassis/testing/store.py"},
    "bson": {
        "chassis/running/mongo.py",
        "chassis/testing/memory.py",
        "chassis/testing/store.py",
        "chassis/testing/stored.py",
    },
    "uvicorn": {"chassis/running/program.py"},
    "opentelemetry": {
        "chassis/running/metrics.py",
        "chassis/running/telemetry.py",
        "chassis/running/spanfile.py",
        "chassis/running/spans.py",
        "chassis/running/sampling.py",
    },
    "fastapi": {
        "chassis/running/http.py",
        "chassis/running/problems.py",
        "chassis/running/health.py",
        "chassis/running/operators.py",
        "chassis/running/service.py",
        "chassis/running/program.py",
        "chassis/testing/tally.py",
    },
}
"""A library is known in these files only (and FastAPI in the services' routes)."""


def files(folder: str) -> list[Path]:
    return sorted(p for p in (ROOT / folder).rglob("*.py") if "__pycache__" not in p.parts)


def imports(path: Path) -> Iterator[str]:
    """Every module a file imports, also inside functions, but not for type checking only."""
    tree = ast.parse(path.read_text())
    skipped = {
        id(inner)
        for node in ast.walk(tree)
        if isinstance(node, ast.If) and isinstance(node.test, ast.Name) and node.test.id == "TYPE_CHECKING"
        for inner in ast.walk(node)
    }
    for node in ast.walk(tree):
        if id(node) in skipped:
            continue
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path}: relative import"
            yield node.module or ""


def name(path: Path) -> str:
    return str(path.relative_to(ROOT))


@pytest.mark.parametrize("path", files("contracts"), ids=name)
def test_contracts_import_nothing_of_ours(path: Path) -> None:
    for module in imports(path):
        assert module.split(".")[0] not in OURS - {"contracts"}, module
        assert module.split(".")[0] not in IO, module


@pytest.mark.parametrize("path", files("chassis"), ids=name)
def test_the_chassis_knows_no_business_word(path: Path) -> None:
    for module in imports(path):
        top = module.split(".")[0]
        assert top not in OURS - {"chassis", "contracts"}, module
        if top == "contracts":
            assert module in PURE_CONTRACTS, module
        if top in HOMES:
            assert name(path) in HOMES[top], f"{module} has its home in {sorted(HOMES[top])}"


@pytest.mark.guarantee("running")
@pytest.mark.parametrize("path", files("services"), ids=name)
def test_a_service_imports_only_contracts_chassis_and_itself(path: Path) -> None:
    service = path.relative_to(ROOT).parts[1]
    for module in imports(path):
        top = module.split(".")[0]
        assert top not in OURS - {"services", "contracts", "chassis"}, module
        if top == "services":
            assert module.split(".")[1] == service, module
        if top == "fastapi":
            assert path.stem.startswith("api") or path.parent.name == "api", f"{module} belongs in api.py"
        assert top not in set(HOMES) - {"fastapi"}, module


@pytest.mark.parametrize("path", files("outlet"), ids=name)
def test_the_outlet_knows_no_service(path: Path) -> None:
    for module in imports(path):
        top = module.split(".")[0]
        assert top not in OURS - {"outlet", "contracts", "chassis"}, module
        if top == "fastapi":
            assert path.stem in ("api", "program"), f"{module} belongs in api.py"
        assert top not in set(HOMES) - {"fastapi"}, module


PURE = [
    p
    for p in files("services")
    if not p.stem.startswith(("api", "service", "__main__", "tasks")) and p.parent.name != "api"
] + [ROOT / "outlet" / f"{stem}.py" for stem in ("batch", "cursor", "index", "pages", "question")]


@pytest.mark.parametrize("path", PURE, ids=name)
def test_aggregates_views_and_scoring_have_no_clock_no_chance_and_no_io(path: Path) -> None:
    """Files that do input or output are named for it: api, service, tasks, and those listed here with a reason."""
    text = path.read_text()
    found = {m.split(".")[0] for m in imports(path)} & IO
    if name(path) in WITH_IO:
        found -= WITH_IO[name(path)]
    assert not found, found
    for call in ("datetime.now(", "date.today(", "datetime.utcnow("):
        assert call not in text, call


WITH_IO: dict[str, set[str]] = {
    "services/matching/keeping.py": {"asyncio"},  # packs what is long in a thread
    "services/matching/solving.py": {"asyncio", "time"},  # computes in a thread, and tells how long that took
}


def test_every_file_says_what_it_is_for() -> None:
    silent = [
        name(p)
        for folder in ("contracts", "chassis", "services", "outlet", "cli", "local", "bench", "tests")
        for p in files(folder)
        if p.read_text().strip() and not ast.get_docstring(ast.parse(p.read_text()))
    ]
    assert not silent


def test_the_rules_see_what_they_forbid(tmp_path: Path) -> None:
    planted = tmp_path / "x.py"
    planted.write_text("from services.matching.pair import PAIR\ndef f():\n    import motor.motor_asyncio\n")
    assert list(imports(planted)) == ["services.matching.pair", "motor.motor_asyncio"]
