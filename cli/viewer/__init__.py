"""How an event travelled: the spans that the local stack writes, read, ordered, and shown on a page."""
