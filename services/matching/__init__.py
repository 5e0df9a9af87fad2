"""Matching: rounds, proposals and consent, pairs, and the seats nobody can overrun."""
