"""How a command ends otherwise than well: one line on standard error, and an exit code with a meaning."""

OK = 0
FAILED = 1
"""Something was refused or did not work."""
USAGE = 2
"""The command line itself is wrong."""
NOT_RUNNING = 3
"""No stack runs here, or a service does not answer."""
NOT_ALLOWED = 4
"""The token is not valid, or has not the right to do this."""

EXIT_CODES = """\b
Exit codes:
  0  done
  1  refused, or failed
  2  wrong usage
  3  no stack is running, or a service does not answer
  4  not allowed
"""


class Failure(Exception):
    """Ends the command with the code; the message is for a person and says the way out where there is one."""

    def __init__(self, message: str, code: int = FAILED) -> None:
        super().__init__(message)
        self.code = code
