"""What can go wrong with the local stack, each error saying what to do next."""

COMPOSE = "Or, where a Docker engine runs: docker compose up --wait"


class LocalError(Exception):
    """Anything the local stack refuses or fails to do; the message is meant to be read by a person."""


class Missing(LocalError):
    """The machine lacks something; the message says what, how to get it, and the other way by containers."""

    def __init__(self, what: str, how: str) -> None:
        super().__init__(f"{what}\n{how}\n{COMPOSE}")
        self.what = what
        self.how = how


class Refused(LocalError):
    """Something is there but must not be used: bytes with a wrong checksum, or data that another stack is using."""


class Failed(LocalError):
    """A child process ended early or did not become ready in time; the message carries the end of its log."""


class NotRunning(LocalError):
    """There is no local stack in this data directory."""
