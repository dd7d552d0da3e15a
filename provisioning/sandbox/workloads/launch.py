"""Process 1 of a local container: starts its program, reaps what it leaves, and never outlives us.

A program of its own, run with nothing but Python's library.  The sandbox holds the other
end of the socket named in the argument: it sends the order as one line of JSON, then `T` (ask
the program to end) or `K` (kill everything).  When the socket closes, because the
sandbox is gone or has been killed, everything is killed too.
"""

import contextlib
import ctypes
import json
import os
import resource
import select
import signal
import socket
import sys
from pathlib import Path
from typing import Any

CANNOT_START = 128
_DEATH_SIGNAL, _SUBREAPER = 1, 36


def main() -> int:
    """Run one program; the exit code is the program's, or 128 and the signal that ended it."""
    control = socket.socket(fileno=int(sys.argv[1]))
    order = json.loads(control.makefile("rb").readline())
    control.set_inheritable(False)
    _prctl(_SUBREAPER, 1)
    wakeup, alarm = os.pipe2(os.O_NONBLOCK | os.O_CLOEXEC)
    signal.set_wakeup_fd(alarm)
    signal.signal(signal.SIGCHLD, lambda *_: None)
    child, why = _start(order)
    if why:
        control.sendall(f"error {why}\n".encode())
        return CANNOT_START
    control.sendall(b"started\n")
    nothing = os.open(os.devnull, os.O_RDWR)
    for stream in (0, 1, 2):
        # The pipes belong to the program: they have to close with it.
        os.dup2(nothing, stream)
    return _watch(child, control, wakeup)


def _start(order: dict[str, Any]) -> tuple[int, str]:
    read, write = os.pipe2(os.O_CLOEXEC)
    child = os.fork()
    if child == 0:
        try:
            _become(order)
        except OSError as error:
            os.write(write, str(error.strerror).encode())
        os._exit(127)
    os.close(write)
    why = os.read(read, 4096).decode()
    os.close(read)
    return child, why


def _become(order: dict[str, Any]) -> None:
    os.setsid()
    if order["terminal"]:
        import fcntl  # noqa: PLC0415
        import termios  # noqa: PLC0415

        fcntl.ioctl(0, termios.TIOCSCTTY, 0)
    signal.set_wakeup_fd(-1)
    signal.signal(signal.SIGCHLD, signal.SIG_DFL)
    os.chdir(order["folder"])
    _bound(order["limits"])
    if order["user"]:
        os.setgroups([])
        os.setgid(order["user"])
        os.setuid(order["user"])
    # After the change of user, which would undo it.
    _prctl(_DEATH_SIGNAL, signal.SIGKILL)
    os.execvpe(order["command"][0], order["command"], order["environment"])  # noqa: S606


def _bound(limits: dict[str, int]) -> None:
    for name, value in limits.items():
        which = getattr(resource, name, None)
        if which is not None:
            hard = resource.getrlimit(which)[1]
            bound = value if hard == resource.RLIM_INFINITY else min(value, hard)
            resource.setrlimit(which, (bound, bound))
    os.nice(5)


def _watch(child: int, control: socket.socket, wakeup: int) -> int:
    while True:
        ready, _, _ = select.select([control.fileno(), wakeup], [], [])
        if control.fileno() in ready:
            _obey(control.recv(16), child)
        if wakeup in ready:
            os.read(wakeup, 512)
            code = _reap(child)
            if code is not None:
                _kill_rest(child)
                return code


def _obey(orders: bytes, child: int) -> None:
    with contextlib.suppress(ProcessLookupError):
        if orders == b"T":
            os.kill(child, signal.SIGTERM)
        else:
            os.killpg(child, signal.SIGKILL)


def _reap(child: int) -> int | None:
    found = None
    while True:
        try:
            pid, status = os.waitpid(-1, os.WNOHANG)
        except ChildProcessError:
            return found
        if pid == 0:
            return found
        if pid == child:
            code = os.waitstatus_to_exitcode(status)
            found = code if code >= 0 else 128 - code


def _kill_rest(group: int) -> None:
    """What the program left behind ends with it, as in any container."""
    with contextlib.suppress(ProcessLookupError, PermissionError):
        os.killpg(group, signal.SIGKILL)
    while True:
        for pid in _children():
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        try:
            os.waitpid(-1, 0)
        except ChildProcessError:
            return


def _children() -> list[int]:
    own = os.getpid()
    try:
        listed = Path(f"/proc/{own}/task/{own}/children").read_text(encoding="ascii")
        return [int(pid) for pid in listed.split()]
    except OSError:
        return []


def _prctl(option: int, value: int) -> None:
    # Only Linux has it; elsewhere the closed socket has to do.
    with contextlib.suppress(OSError, AttributeError):
        ctypes.CDLL(None).prctl(option, int(value), 0, 0, 0)


if __name__ == "__main__":
    sys.exit(main())
