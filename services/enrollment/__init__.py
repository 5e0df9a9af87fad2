"""Enrollment: programs and their rules, roles, who takes part; the only home of names and addresses."""
