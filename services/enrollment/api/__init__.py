"""Enrollment's HTTP API: the routes, what they take, and what they do with it."""

from fastapi import APIRouter

from services.enrollment.api import revising, routes

router = APIRouter(routes=[*routes.router.routes, *revising.router.routes])

__all__ = ["router"]
