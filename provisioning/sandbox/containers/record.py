"""What really ran, written down as it happens: the truth a ledger can be held against.

One line is one event of one container: begun, taken over by a kubelet that came back, or
ended; a line `raised` says that the cluster came up.  The file is only added to and never
compacted, and nothing in a simulated cluster reads it.
"""

import json
import os
from collections.abc import Mapping, Sequence
from datetime import datetime
from pathlib import Path
from typing import Protocol

from provisioning.sandbox.containers.runtime import Exit, Launch
from provisioning.sandbox.objects import Json, metadata

Held = Mapping[str, Sequence[str]]


class Record(Protocol):
    """Where kubelets write down what they run."""

    def begun(self, launch: Launch, *, node: str, devices: Held) -> None:
        """A container has started."""

    def taken_over(self, launch: Launch, *, node: str, devices: Held, ended: Exit | None) -> None:
        """A kubelet that came back goes on with a container, or knows that it is over."""

    def ended(self, container_id: str, *, at: datetime, reason: str) -> None:
        """A container is over."""


class NoRecord:
    """For a cluster that nobody holds to account."""

    def begun(self, launch: Launch, *, node: str, devices: Held) -> None:
        """Forget it."""

    def taken_over(self, launch: Launch, *, node: str, devices: Held, ended: Exit | None) -> None:
        """Forget it."""

    def ended(self, container_id: str, *, at: datetime, reason: str) -> None:
        """Forget it."""


class FileRecord:
    """Appends each event of one cluster's containers to a file."""

    def __init__(self, path: Path, *, at: datetime) -> None:
        self._fd = os.open(path, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600)
        # A kill may have cut the last line short.
        os.write(self._fd, b"\n")
        self._append({"what": "raised", "at": at.isoformat()})

    def begun(self, launch: Launch, *, node: str, devices: Held) -> None:
        """Write it down with whose it is and what it holds."""
        self._append({"what": "begun", **_told(launch, node, devices)})

    def taken_over(self, launch: Launch, *, node: str, devices: Held, ended: Exit | None) -> None:
        """Write down that it outlived its kubelet, or when it had ended."""
        end = {"ended_at": ended.at.isoformat()} if ended else {}
        self._append({"what": "taken_over", **_told(launch, node, devices), **end})

    def ended(self, container_id: str, *, at: datetime, reason: str) -> None:
        """Write down when and why."""
        line = {"what": "ended", "container": container_id, "at": at.isoformat(), "reason": reason}
        self._append(line)

    def _append(self, line: Json) -> None:
        os.write(self._fd, json.dumps(line).encode() + b"\n")


def _told(launch: Launch, node: str, devices: Held) -> Json:
    meta = metadata(launch.pod)
    return {
        "container": launch.container_id,
        "pod": meta["uid"],
        "namespace": meta["namespace"],
        "name": meta["name"],
        "labels": meta.get("labels") or {},
        "node": node,
        "devices": {name: list(ids) for name, ids in devices.items()},
        "at": launch.started_at.isoformat(),
    }
