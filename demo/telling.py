"""How the story is printed: numbered steps, figures below them, waits that show they wait."""

import sys
import time


class Teller:
    """Prints to the terminal; counts the steps."""

    def __init__(self) -> None:
        self._step = 0
        self._waiting_since: float | None = None

    def step(self, title: str) -> None:
        """Begin a step."""
        self._step += 1
        print(f"\n{self._step:>2}  {title}", flush=True)

    def figure(self, name: str, value: object) -> None:
        """Print one fact of the step."""
        print(f"      {name:<18} {value}", flush=True)

    def waiting(self, what: str) -> None:
        """Show, on a terminal in place, that something is being waited for."""
        self._waiting_since = self._waiting_since or time.monotonic()
        seconds = time.monotonic() - self._waiting_since
        if sys.stdout.isatty():
            print(f"\r      {what} … {seconds:.0f} s   ", end="", flush=True)

    def waited(self) -> None:
        """End a wait."""
        if self._waiting_since is not None and sys.stdout.isatty():
            print("\r" + " " * 72 + "\r", end="", flush=True)
        self._waiting_since = None
