"""What really ran: the sandbox's own record of containers, folded into runs."""

import json
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

INSTANCE_LABEL = "npu-farm.local/instance"
Device = tuple[str, str, str, str]
Key = tuple[str, str, str]


@dataclass(frozen=True, kw_only=True)
class Run:
    """One run of one container; `ended_at` is None while it runs."""

    cluster: str
    pod: str
    container: str
    instance: str
    node: str
    devices: tuple[Device, ...]
    started_at: datetime
    ended_at: datetime | None = None

    @property
    def key(self) -> Key:
        """Names the run as the ledger does."""
        return (self.cluster, self.pod, self.container)


def read_runs(folder: Path) -> list[Run]:
    """Return every run of every cluster."""
    files = sorted(folder.glob("*.runs"))
    return [run for file in files for run in fold(file.stem, _lines(file))]


def fold(cluster: str, lines: Iterable[dict[str, Any]]) -> list[Run]:
    """Turn one cluster's events into runs.

    An end that a killed sandbox had told nobody is taken back by whoever takes the container
    over; a container nobody takes over died with the sandbox, at its last sign of life.
    """
    runs: dict[str, Run] = {}
    awaited: dict[str, datetime] = {}
    alive_at = datetime.min.replace(tzinfo=UTC)
    for line in lines:
        name = line.get("container", "")
        at = datetime.fromisoformat(line["at"])
        match line["what"]:
            case "raised":
                unended = (run for run in runs.values() if run.ended_at is None)
                awaited |= {run.container: alive_at for run in unended}
            case "begun":
                runs[name] = _run(cluster, line)
                alive_at = at
            case "taken_over":
                end = line.get("ended_at")
                ended_at = datetime.fromisoformat(end) if end else None
                runs[name] = replace(runs.get(name) or _run(cluster, line), ended_at=ended_at)
                awaited.pop(name, None)
            case "ended" if name in runs:
                runs[name] = replace(runs[name], ended_at=at)
                awaited.pop(name, None)
                alive_at = at
    lost = {name: max(runs[name].started_at, at) for name, at in awaited.items()}
    return [replace(run, ended_at=lost.get(run.container, run.ended_at)) for run in runs.values()]


def _run(cluster: str, line: dict[str, Any]) -> Run:
    return Run(
        cluster=cluster,
        pod=line["pod"],
        container=line["container"],
        instance=str(line["labels"].get(INSTANCE_LABEL) or ""),
        node=line["node"],
        devices=tuple(
            (cluster, line["node"], resource, one)
            for resource, ids in line["devices"].items()
            for one in ids
        ),
        started_at=datetime.fromisoformat(line["at"]),
    )


def _lines(file: Path) -> Iterator[dict[str, Any]]:
    for text in file.read_bytes().split(b"\n"):
        try:
            line = json.loads(text)
        except ValueError:
            continue  # Empty, or cut short by a kill.
        yield line
