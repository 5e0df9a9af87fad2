"""The best matching, proven: arrays in, pairs and prices out; nothing in here knows what a fact or a program is."""

from services.matching.solver.problem import TERMS, WORDS, Certificate, Goal, People, Problem, Result, Rules
from services.matching.solver.solving import VERSION, Progress, solve
from services.matching.solver.verify import verify
from services.matching.solver.warm import Warm

__all__ = [
    "TERMS", "VERSION", "WORDS", "Certificate", "Goal", "People", "Problem", "Progress", "Result", "Rules", "Warm",
    "solve", "verify",
]  # fmt: skip
