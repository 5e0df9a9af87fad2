"""The program of the story: its rules, and the words that the sample roster needs."""

from local.rosters.make import WORDS
from local.story.web import Json

SESSIONS = 3
MINUTES = 45

THEMES = ["ways-of-working", "learning", "technology"]
"""What people talk about in their sessions, on their boards and to the organisation: three tags of the program."""

PROGRAM: Json = {
    **WORDS,
    "title": "The view from below",
    "rules": {"sessions": SESSIONS, "minutes": MINUTES, "cadence_weeks": 4, "months": 4},
    "floor_numbers": 5,
    "floor_words": 10,
}
