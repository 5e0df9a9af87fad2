"""Insights: what people tell the organisation, sealed; and the figures that are published, with a floor under them."""
