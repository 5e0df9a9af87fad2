"""Every fact of the four services in one catalogue."""

from __future__ import annotations

from contracts import enrollment, insights, matching, scheduling
from contracts.catalog import Catalog
from contracts.upcasts import UPCASTS

CATALOG = Catalog([enrollment, matching, scheduling, insights], UPCASTS)
