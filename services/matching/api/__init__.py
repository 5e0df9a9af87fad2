"""Matching over HTTP: the coordinator's rounds and why they are so, everybody's own consent, pairs and exclusions."""

from __future__ import annotations

from fastapi import APIRouter

from services.matching.api import exclusions, explaining, pairs, proposals, review, rounds

_FILES = (rounds, review, explaining, proposals, pairs, exclusions)
router = APIRouter(routes=[route for file in _FILES for route in file.router.routes])
