"""Webhooks: public facts sent to the endpoints of subscribers."""
