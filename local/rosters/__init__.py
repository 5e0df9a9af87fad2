"""Sample rosters of people nobody is, and how they are made."""
