"""Compiled or interpreted: the same functions either way, and where compiled code is kept."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeVar

F = TypeVar("F", bound=Callable[..., Any])

try:
    import numba
except ImportError:  # numpy and the interpreter give the same answers, slower
    numba = None  # type: ignore[assignment]

COMPILES = numba is not None


def inlined(function: F) -> F:
    """A function that compiled functions may call."""
    made: F = function if numba is None else numba.extending.register_jitable(function)
    return made


def compiled(function: Callable[..., Any]) -> Callable[..., Any]:
    """The function in machine code, made when it is first called and kept for the next process where `NUMBA_CACHE_DIR`
    or the sources can be written to; it runs beside other threads. Without numba, the function itself."""
    if numba is None:
        return function
    try:
        made: Callable[..., Any] = numba.njit(function, cache=True, nogil=True)
    except RuntimeError:  # nowhere to keep it
        made = numba.njit(function, nogil=True)
    return made
