"""Matching over HTTP: the coordinator's rounds and why they are so, everybody's own consent, pairs and exclusions."""

from __future__ import annotations

from fastapi import APIRouter

from services.matching.api import asks, exclusions, explaining, pairs, proposals, review, rounds, solving

_FILES = (rounds, review, solving, proposals, asks, pairs, exclusions, explaining)
router = APIRouter(routes=[route for file in _FILES for route in file.router.routes])
