"""Roster files: read, checked line by line, and compared with what is known. Pure."""
