"""The digest of each service's folds. `python -m tests.rules.folds` writes those whose number has risen.

With `--same`, it writes all of them: for a change after which every document is made as before, such as a new name.
"""

from __future__ import annotations

import ast
import hashlib
import json
import sys
from collections.abc import Callable, Iterator
from importlib import import_module
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parents[2]
KNOWN = Path(__file__).with_name("folds.json")
SERVICES = ("enrollment", "matching", "scheduling", "insights")
_UNSAID = {"ctx", "kind", "type_comment", "type_params", "type_ignores"}

Read = Callable[[str], str]


def source(module: str) -> str:
    """The text of a module of ours."""
    return (ROOT / (module.replace(".", "/") + ".py")).read_text()


def digest(service: str, read: Read = source) -> str:
    """Of everything that rows and folds are made of: what `VIEWS` and `STATES` reach in the service, and functions of
    the contracts. Comments, docstrings, indexes and the order of definitions are not in it; facts have their own
    versions."""
    reached = _reached(f"services.{service}.views", read)
    told = json.dumps([[name, _told(node)] for name, node in sorted(reached.items())])
    return hashlib.sha256(told.encode()).hexdigest()


def _reached(views: str, read: Read) -> dict[str, ast.AST]:
    """The definitions that the views reach, by module and name."""
    modules: dict[str, tuple[dict[str, ast.AST], dict[str, tuple[str, str | None]]]] = {}
    found: dict[str, ast.AST] = {}
    todo = [(views, "VIEWS"), (views, "STATES")]
    while todo:
        module, name = todo.pop()
        if module not in modules:
            modules[module] = _definitions(ast.parse(read(module)))
        defined, imported = modules[module]
        node = defined.get(name)
        if node is None or f"{module}.{name}" in found:
            continue
        if module.startswith("contracts.") and not isinstance(node, ast.FunctionDef):
            continue
        found[f"{module}.{name}"] = node
        for base, attribute in _used(node):
            if base in defined:
                todo.append((module, base))
            elif base in imported:
                origin, inner = imported[base]
                todo += [(origin, inner)] if inner else [(origin, attribute)] if attribute else []
    return found


def _definitions(tree: ast.Module) -> tuple[dict[str, ast.AST], dict[str, tuple[str, str | None]]]:
    """Names defined at the top of a module, and names that come from other modules of ours."""
    defined: dict[str, ast.AST] = {}
    imported: dict[str, tuple[str, str | None]] = {}
    for node in tree.body:
        if isinstance(node, ast.FunctionDef | ast.ClassDef):
            defined[node.name] = node
        elif isinstance(node, ast.Assign | ast.AnnAssign):
            targets = node.targets if isinstance(node, ast.Assign) else [node.target]
            defined |= {t.id: node for t in targets if isinstance(t, ast.Name)}
        elif isinstance(node, ast.ImportFrom) and (node.module or "").split(".")[0] in ("services", "contracts"):
            for alias in node.names:
                inside = ROOT / f"{(node.module or '').replace('.', '/')}/{alias.name}.py"
                whole = (f"{node.module}.{alias.name}", None)
                imported[alias.asname or alias.name] = whole if inside.exists() else (node.module or "", alias.name)
    return defined, imported


def _used(node: ast.AST) -> Iterator[tuple[str, str | None]]:
    """Names, and the attribute that is taken of each."""
    for inner in ast.walk(node):
        if isinstance(inner, ast.Attribute) and isinstance(inner.value, ast.Name):
            yield inner.value.id, inner.attr
        elif isinstance(inner, ast.Name):
            yield inner.id, None


def _told(node: Any) -> Any:
    """A syntax tree as lists, the same in every version of Python."""
    if isinstance(node, list):
        return [_told(n) for n in node if not _is_text(n)]
    if isinstance(node, ast.keyword) and node.arg == "indexes":
        return None
    if isinstance(node, ast.AST):
        fields = ((name, _told(value)) for name, value in ast.iter_fields(node) if name not in _UNSAID)
        return [type(node).__name__, *([name, value] for name, value in fields if value not in (None, []))]
    return node if isinstance(node, str | int | float | bool | None) else repr(node)


def _is_text(node: Any) -> bool:
    return isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant) and isinstance(node.value.value, str)


def now() -> dict[str, dict[str, Any]]:
    """Number and digest of each service's folds, as they are."""
    return {
        name: {"folds": import_module(f"services.{name}.service").SERVICE.folds, "digest": digest(name)}
        for name in SERVICES
    }


def main() -> None:
    """Entry point."""
    known: dict[str, Any] = json.loads(KNOWN.read_text()) if KNOWN.exists() else {}
    for name, is_ in now().items():
        was = known.get(name)
        if was is None or is_["folds"] > was["folds"] or "--same" in sys.argv:
            known[name] = is_
        elif is_ != was:
            sys.exit(f"the folds of {name} have changed: raise `folds` in services/{name}/service.py first")
    KNOWN.write_text(json.dumps(known, indent=2) + "\n")


if __name__ == "__main__":
    main()
