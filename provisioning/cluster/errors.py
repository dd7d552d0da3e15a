"""What a cluster may answer instead of what was asked.

Classified by the Status body, not by the number: a 403 may mean wait, never, or call the
operator.  `StatusBody` is the part of the answer the classification looks at.
"""

from dataclasses import dataclass
from typing import Any

from provisioning.errors import ClusterRefused, ClusterUnreachable

__all__ = ["ClusterRefused", "ClusterUnreachable", "StatusBody", "refusal_of"]


class TooManyRequests(ClusterUnreachable):
    """The cluster asks us to slow down."""

    code = "too_many_requests"


class ServerTrouble(ClusterUnreachable):
    """The API server itself says that it cannot: to its callers no answer, and yet it is there."""


class NotFound(ClusterRefused):
    """There is no such object."""

    code = "not_found"


class NamespaceMissing(NotFound):
    """The namespace is not there."""

    code = "namespace_missing"


class AlreadyExists(ClusterRefused):
    """There is an object of this name already."""

    code = "already_exists"


class Conflict(ClusterRefused):
    """The object has changed since it was read."""

    code = "conflict"
    retryable = True


class QuotaConflict(Conflict):
    """The namespace's quota was being written by somebody else."""

    code = "quota_conflict"


class PreconditionFailed(ClusterRefused):
    """There is another object of this name."""

    code = "precondition_failed"


class QuotaExceeded(ClusterRefused):
    """The namespace's quota is used up."""

    code = "cluster_quota"
    retryable = True


class NamespaceTerminating(ClusterRefused):
    """The namespace is being deleted."""

    code = "namespace_terminating"
    retryable = True


class AdmissionRefused(ClusterRefused):
    """The cluster's rules forbid this object."""

    code = "admission_refused"


class PermissionDenied(ClusterRefused):
    """Our identity may not do this on the cluster."""

    code = "cluster_denied"


class Unauthenticated(PermissionDenied):
    """The cluster does not accept our credentials."""

    code = "credentials_refused"


class Invalid(ClusterRefused):
    """The cluster cannot make sense of this object."""

    code = "invalid_object"


class Expired(ClusterRefused):
    """The cluster no longer remembers that version."""

    code = "version_expired"
    retryable = True


@dataclass(frozen=True)
class StatusBody:
    """The answer as the API server words it."""

    http_status: int
    reason: str
    message: str
    details: dict[str, Any]
    retry_after: float | None = None

    @property
    def causes(self) -> frozenset[str]:
        """The reasons given for the refusal."""
        found = self.details.get("causes") or []
        return frozenset(str(c.get("reason")) for c in found if isinstance(c, dict))


def refusal_of(body: StatusBody) -> ClusterRefused | ClusterUnreachable:
    """Turn an answer into the error that says what can be done about it."""
    if body.http_status >= 500:
        # What stands before an API server has no such words as these.
        kind = ServerTrouble if body.reason else ClusterUnreachable
        return kind(body.message, retry_after=body.retry_after)
    if body.http_status == 429:
        return TooManyRequests(body.message, retry_after=body.retry_after or 1.0)
    return _kind_of(body)(body.message)


def _kind_of(body: StatusBody) -> type[ClusterRefused]:
    match body.http_status:
        case 401:
            return Unauthenticated
        case 403:
            return _forbidden(body)
        case 404:
            return NamespaceMissing if body.details.get("kind") == "namespaces" else NotFound
        case 409:
            return _conflict(body)
        case 410:
            return Expired
        case 422:
            return Invalid
        case _:
            return ClusterRefused


def _forbidden(body: StatusBody) -> type[ClusterRefused]:
    if "NamespaceTerminating" in body.causes or "is being terminated" in body.message:
        return NamespaceTerminating
    if "exceeded quota" in body.message:
        return QuotaExceeded
    # The authoriser names the user it refuses; everything else is an admission rule.
    if "cannot" in body.message and "User " in body.message:
        return PermissionDenied
    return AdmissionRefused


def _conflict(body: StatusBody) -> type[ClusterRefused]:
    if body.reason == "AlreadyExists":
        return AlreadyExists
    if body.details.get("kind") == "resourcequotas" or "on resourcequotas" in body.message:
        return QuotaConflict
    return PreconditionFailed if "Precondition failed" in body.message else Conflict
