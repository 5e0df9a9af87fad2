"""The kinds of documents that enrollment keeps."""

MEMBER = "member"
"""A program's roster: one per person, in the program's scope."""
WORDS = "program"
"""What a program calls things: one per program, in the scope of all."""
