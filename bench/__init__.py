"""Measurements: every figure is a ratio against a floor taken in the same run, because machines are noisy."""
