"""The pod an instance runs in, for those who want to go in.

Looked up anew each time: an instance that was stopped, moved or lost is not entered.
"""

from dataclasses import dataclass
from urllib.parse import quote
from uuid import UUID

from django.db.models import QuerySet

from provisioning.cluster.connections import Connection, connection_to
from provisioning.errors import NotRunning
from provisioning.models import Attempt, Instance
from provisioning.states import AttemptState, Desired, Identity, State


@dataclass(frozen=True, kw_only=True)
class LivePod:
    """One pod of ours, and how to reach it as the identity that may enter pods."""

    connection: Connection
    namespace: str
    name: str
    uid: UUID
    attempt_no: int

    @property
    def path(self) -> str:
        """Its address in the API."""
        return f"/api/v1/namespaces/{quote(self.namespace)}/pods/{quote(self.name)}"


def is_running(instance: Instance) -> bool:
    """Say whether it runs and is meant to."""
    return instance.state == State.RUNNING and instance.desired == Desired.RUNNING


def running_pod_of(instance: Instance) -> LivePod:
    """Return the pod of a running instance; raises `NotRunning`."""
    if not is_running(instance):
        raise NotRunning
    return pod_of(instance, attempt_no=instance.attempt_no)


def pod_of(instance: Instance, *, attempt_no: int) -> LivePod:
    """Return the pod of one attempt, running or not; raises `NotRunning` when it is gone."""
    attempt = _attempts(instance).filter(no=attempt_no).first()
    if attempt is None or attempt.uid is None:
        raise NotRunning
    return LivePod(
        connection=connection_to(attempt.cluster, Identity.ACCESS),
        namespace=attempt.namespace,
        name=attempt.pod_name,
        uid=attempt.uid,
        attempt_no=attempt.no,
    )


def attempts_with_pods(instance: Instance) -> list[int]:
    """Return the numbers of the attempts whose pods are still there, newest first."""
    return list(_attempts(instance).order_by("-no").values_list("no", flat=True))


def _attempts(instance: Instance) -> QuerySet[Attempt]:
    rows = instance.attempts.filter(uid__isnull=False).exclude(state=AttemptState.GONE)
    return rows.select_related("cluster")
