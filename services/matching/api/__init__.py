"""Matching over HTTP: the coordinator's rounds, everybody's own consent and pairs."""

from __future__ import annotations

from fastapi import APIRouter

from services.matching.api import pairs, proposals, rounds

router = APIRouter(routes=[*rounds.router.routes, *proposals.router.routes, *pairs.router.routes])
