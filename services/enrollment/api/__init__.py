"""Enrollment's HTTP API: the routes, what they take, and what they do with it."""

from services.enrollment.api.routes import router

__all__ = ["router"]
