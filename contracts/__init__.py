"""What the four services and the world outside share: facts, their categories, the envelope they travel in."""
