"""What a simulated container has written: derived from its start and the time, never stored.

The workspace image prints its environment and then says once an interval that it is
there; a command's `echo` lines come out as they would.
"""

import re
import shlex
from collections.abc import Iterator
from datetime import datetime, timedelta

from provisioning.sandbox.containers.runtime import Launch, LogLine
from provisioning.sandbox.objects import Json, name_of

INTERVAL_SECONDS = 30
# A container that runs for months does not get months of lines.
LINES_KEPT = 2000


def lines(launch: Launch, *, until: datetime) -> list[LogLine]:
    """Everything a container has written up to an instant."""
    command = [str(word) for word in launch.container.get("command") or []]
    opening = _echoes(command) if command else _environment(launch)
    written = [LogLine(launch.started_at, text) for text in opening]
    return written + ([] if command else _signs_of_life(launch, until))


def _environment(launch: Launch) -> Iterator[str]:
    yield f"HOSTNAME={name_of(launch.pod)}"
    for variable in launch.container.get("env") or []:
        yield f"{variable.get('name')}={variable.get('value') or ''}"
    for name, value in sorted(launch.environment.items()):
        yield f"{name}={value}"


def _echoes(command: list[str]) -> Iterator[str]:
    script = command[command.index("-c") + 1] if "-c" in command[:-1] else shlex.join(command)
    for statement in re.split(r"[;\n]|&&", script):
        try:
            words = shlex.split(statement)
        except ValueError:
            continue
        if words[:1] == ["echo"]:
            yield " ".join(words[1:])


def _signs_of_life(launch: Launch, until: datetime) -> list[LogLine]:
    ran = max(0.0, (until - launch.started_at).total_seconds())
    last = int(ran // INTERVAL_SECONDS)
    devices = _device_count(launch.container)
    return [
        LogLine(
            launch.started_at + timedelta(seconds=number * INTERVAL_SECONDS),
            f"workspace ready, {devices} devices, up {number * INTERVAL_SECONDS} s",
        )
        for number in range(max(1, last - LINES_KEPT + 1), last + 1)
    ]


def _device_count(container: Json) -> int:
    limits = (container.get("resources") or {}).get("limits") or {}
    return sum(int(value) for name, value in limits.items() if "/" in name)


def until_next(launch: Launch, *, now: datetime) -> float | None:
    """Seconds until the next line is due; None when there will be none."""
    if launch.container.get("command"):
        return None
    ran = (now - launch.started_at).total_seconds()
    return INTERVAL_SECONDS - ran % INTERVAL_SECONDS + 0.001
