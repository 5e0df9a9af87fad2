"""The program of the story: its rules, and what its themes, places, functions and levels are called."""

from local.story.web import Json

SESSIONS = 3
MINUTES = 45

THEMES = ["ways-of-working", "learning", "technology"]
"""What people talk about in their sessions, on their boards and to the organisation: three tags of the program."""

PROGRAM: Json = {
    "title": "The view from below",
    "rules": {"sessions": SESSIONS, "minutes": MINUTES, "cadence_weeks": 4, "months": 4},
    "floor_numbers": 5,
    "floor_words": 10,
}
