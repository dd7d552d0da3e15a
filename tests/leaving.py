"""A test run ends when its last test has ended, and leaves nobody behind.

Whoever waits for a run reads what it says to the end.  A process left behind that holds the
run's output open keeps them waiting, and so does a thread the interpreter waits for when it
leaves: both are ended here, and told of.
"""

import contextlib
import faulthandler
import os
import signal
import sys
from collections.abc import Iterator
from pathlib import Path

# The database has half a minute to stop; what takes longer than this will take for ever.
GOODBYE_S = 60
# It stops with the interpreter, which it serves to the end.
_STAYS = "postgres"


def pytest_unconfigure() -> None:
    """End what is left; then leave, if need be without waiting for our own threads."""
    for pid, command in list(_left_behind(os.getpid())):
        sys.stderr.write(f"left behind by a test, and ended: {pid} {command}\n")
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, signal.SIGKILL)
    # One of several processes waits for the others, which may take longer.
    if "PYTEST_XDIST_WORKER" not in os.environ:
        # Says where each thread was, and ends the process, unless that has happened before.
        faulthandler.dump_traceback_later(GOODBYE_S, exit=True)


def _left_behind(parent: int) -> Iterator[tuple[int, str]]:
    """Every living process begun by `parent`, or by one of these."""
    for listed in Path(f"/proc/{parent}/task").glob("*/children"):
        for pid in map(int, _read(listed).split()):
            command = _read(Path(f"/proc/{pid}/cmdline")).replace("\0", " ").strip()
            # A zombie has none.
            if command and _STAYS not in command:
                yield from _left_behind(pid)
                yield pid, command


def _read(file: Path) -> str:
    try:
        return file.read_text(errors="replace")
    except (FileNotFoundError, ProcessLookupError):
        return ""
