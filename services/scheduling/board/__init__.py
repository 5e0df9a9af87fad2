"""The board of a pair: ideas, and the actions they become. Only the two of them ever read its words."""
