"""Sessions: times that suit both, the diaries that hold them, and what each side learned."""
