"""How any service of Counterpoint runs. It knows no business word."""

RELEASE = "0.1.0"
"""The version of Counterpoint that this is; an image holds no metadata of the package."""
