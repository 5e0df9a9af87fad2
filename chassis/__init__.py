"""How any service of Counterpoint runs. It knows no business word."""
