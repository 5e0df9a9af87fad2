"""Matching over HTTP: the coordinator's rounds, everybody's own consent, pairs and exclusions."""

from __future__ import annotations

from fastapi import APIRouter

from services.matching.api import exclusions, pairs, proposals, rounds

router = APIRouter(
    routes=[
        *rounds.router.routes,
        *proposals.router.routes,
        *pairs.router.routes,
        *exclusions.router.routes,
    ]
)
