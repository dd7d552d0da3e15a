"""Read what an instance prints and what the cluster says happens to it, live."""

from dataclasses import dataclass
from datetime import datetime

from provisioning import pods, podstatus
from provisioning.cluster import asking
from provisioning.cluster.errors import ClusterRefused, NotFound
from provisioning.errors import NoLogsYet, NotRunning
from provisioning.models import Attempt, Instance
from provisioning.pods import LivePod
from provisioning.states import AttemptState


@dataclass(frozen=True, kw_only=True)
class ClusterEvent:
    """One event about an instance's pod."""

    reason: str
    message: str
    is_warning: bool
    count: int
    at: datetime | None


def read_logs(*, instance: Instance, tail: int = 200) -> str:
    """Return the last lines the instance printed; raises `NoLogsYet` or `ClusterUnreachable`."""
    attempt = _created(instance)
    try:
        return asking.read_log(
            attempt.cluster, namespace=attempt.namespace, name=attempt.pod_name, tail=tail
        )
    except NotFound as error:
        raise NoLogsYet("Its pod is gone.") from error
    except ClusterRefused as error:
        # A container that has not started is a bad request to the API server.
        raise NoLogsYet from error


def read_events(*, instance: Instance) -> list[ClusterEvent]:
    """Return what the cluster tells of the instance's pod, oldest first."""
    attempt = _created(instance)
    raw = asking.events_of(attempt.cluster, namespace=attempt.namespace, uid=str(attempt.uid))
    events = [
        ClusterEvent(
            reason=str(event.get("reason") or ""),
            message=str(event.get("message") or ""),
            is_warning=event.get("type") == "Warning",
            count=int(event.get("count") or 1),
            at=podstatus.instant_of(event.get("lastTimestamp") or event.get("eventTime")),
        )
        for event in raw
    ]
    return sorted(events, key=lambda event: (event.at is None, event.at))


def log_pod(*, instance: Instance, attempt_no: int) -> LivePod:
    """Return the pod whose log an attempt writes; raises `NoLogsYet` when it is gone."""
    try:
        return pods.pod_of(instance, attempt_no=attempt_no)
    except NotRunning as error:
        raise NoLogsYet("Its pod is gone.") from error


def _created(instance: Instance) -> Attempt:
    attempt = (
        instance.attempts.filter(no=instance.attempt_no, uid__isnull=False)
        .exclude(state=AttemptState.GONE)
        .select_related("cluster")
        .first()
    )
    if attempt is None:
        raise NoLogsYet
    return attempt
