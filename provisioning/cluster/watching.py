"""Follow the changes of a selection of pods from a version on.

Reads the raw lines of one watch request.  Bookmarks come about every minute, so silence
for longer than `SILENT_SECONDS` means that nobody is there any more.
"""

import json
from collections.abc import Iterator
from dataclasses import dataclass
from enum import StrEnum
from typing import Any, Final

from provisioning.cluster import requests
from provisioning.cluster.connections import connection_to
from provisioning.cluster.errors import ClusterUnreachable, StatusBody, refusal_of
from provisioning.cluster.requests import Request
from provisioning.models import Cluster
from provisioning.states import Identity

SILENT_SECONDS: Final = 75.0


class ChangeKind(StrEnum):
    """What happened to an object."""

    ADDED = "ADDED"
    MODIFIED = "MODIFIED"
    DELETED = "DELETED"
    BOOKMARK = "BOOKMARK"


@dataclass(frozen=True)
class Change:
    """One line of a watch."""

    kind: ChangeKind
    object: dict[str, Any]

    @property
    def resource_version(self) -> str:
        """Return the version to go on from."""
        return str((self.object.get("metadata") or {}).get("resourceVersion") or "")


def watch_pods(
    cluster: Cluster, *, selector: str, resource_version: str, seconds: float
) -> Iterator[Change]:
    """Return changes for about so many seconds; raises `Expired` when the version is too old."""
    query = (
        ("labelSelector", selector),
        ("watch", "true"),
        ("allowWatchBookmarks", "true"),
        ("resourceVersion", resource_version),
        ("timeoutSeconds", str(max(1, round(seconds)))),
    )
    request = Request(method="GET", path="/api/v1/pods", query=query, read_seconds=SILENT_SECONDS)
    # Connected here and now: whoever reads on may do so in a thread without a database.
    connection = connection_to(cluster, Identity.WATCHER)
    return map(_change_of, requests.ask_lines(connection, request))


def _change_of(line: bytes) -> Change:
    try:
        said = json.loads(line)
        kind, found = str(said["type"]), said["object"]
    except (ValueError, KeyError, TypeError) as error:
        raise ClusterUnreachable("The watch was cut.") from error
    if kind == "ERROR":
        raise refusal_of(_status_of(found))
    if kind not in set(ChangeKind):
        # Something in between speaks, or a server we do not know: list again, and go on.
        raise ClusterUnreachable(f"The watch said {kind!r}.")
    return Change(ChangeKind(kind), found)


def _status_of(said: dict[str, Any]) -> StatusBody:
    return StatusBody(
        http_status=int(said.get("code") or 500),
        reason=str(said.get("reason") or ""),
        message=str(said.get("message") or ""),
        details=said.get("details") or {},
    )
