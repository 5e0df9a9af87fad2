"""Scheduling: journeys of pairs, their sessions and diaries, and the board where ideas become confirmed actions."""
