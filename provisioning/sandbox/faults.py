"""Faults an operator plants to see what a client makes of them.

A fault has a shape (what goes wrong), a scope (cluster, verbs, resource) and an end
(so many requests, so many seconds, or until it is lifted).
"""

from collections.abc import Iterable
from dataclasses import dataclass, field
from enum import StrEnum
from itertools import count

from provisioning.sandbox.errors import StatusError
from provisioning.sandbox.times import Clock


class Shape(StrEnum):
    """What goes wrong."""

    DOWN = "down"
    ERROR = "error"
    DROP = "drop"
    SLOW = "slow"
    WATCH_GONE = "watch_gone"
    WATCH_SILENT = "watch_silent"


class When(StrEnum):
    """Whether the request has had its effect by then."""

    BEFORE = "before"
    AFTER = "after"


@dataclass
class Fault:
    """One planted fault."""

    shape: Shape
    cluster: str = ""
    verbs: tuple[str, ...] = ()
    resource: str = ""
    # How many more requests it strikes; None: all.
    left: int | None = None
    until: float | None = None
    when: When = When.BEFORE
    code: int = 500
    reason: str = ""
    message: str = ""
    retry_after: int | None = None
    seconds: float = 0.0
    id: int = field(default=0)

    def concerns(self, *, cluster: str, verb: str, resource: str) -> bool:
        """Whether a request is within the fault's scope."""
        return (
            self.cluster in ("", cluster)
            and (not self.verbs or verb in self.verbs)
            # `pods` means what hangs below a pod too, `pods/exec` only that.
            and self.resource in ("", resource, resource.partition("/")[0])
        )

    def error(self) -> StatusError:
        """The failure the client is shown."""
        reasons = {429: "TooManyRequests", 503: "ServiceUnavailable", 504: "Timeout"}
        reason = self.reason or reasons.get(self.code, "InternalError")
        message = self.message or _MESSAGES.get(self.code, "Internal error occurred: planted fault")
        details = {"retryAfterSeconds": self.retry_after} if self.retry_after is not None else None
        headers = {"Retry-After": str(self.retry_after)} if self.retry_after is not None else {}
        return StatusError(
            code=self.code, reason=reason, message=message, details=details, headers=headers
        )


_MESSAGES = {
    429: "Too many requests, please try again later.",
    503: "the server is currently unable to handle the request",
    504: "Timeout: request did not complete within the allotted timeout",
}


class Faults:
    """The faults planted in a farm."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._planted: list[Fault] = []
        self._ids = count(1)

    def plant(self, fault: Fault) -> Fault:
        """Let a fault strike from now on."""
        fault.id = next(self._ids)
        self._planted.append(fault)
        return fault

    def lift(self, fault_id: int | None = None) -> int:
        """Take one fault, or all, away; answers how many."""
        kept = [fault for fault in self._planted if fault_id not in (None, fault.id)]
        lifted = len(self._planted) - len(kept)
        self._planted = kept
        return lifted

    def planted(self) -> list[Fault]:
        """The faults that can still strike."""
        now = self._clock.monotonic()
        self._planted = [
            fault
            for fault in self._planted
            if fault.left != 0 and (fault.until is None or now < fault.until)
        ]
        return list(self._planted)

    def strike(self, *, cluster: str, verb: str, resource: str) -> list[Fault]:
        """The faults that strike one request; each counts it."""
        struck = [
            fault
            for fault in self.planted()
            if fault.concerns(cluster=cluster, verb=verb, resource=resource)
            and (verb == "watch" or not fault.shape.startswith("watch"))
        ]
        for fault in struck:
            fault.left = None if fault.left is None else fault.left - 1
        return struck


def of_shape(struck: Iterable[Fault], *shapes: Shape, when: When | None = None) -> list[Fault]:
    """Those of some shapes, striking before or after the effect when that is asked."""
    return [fault for fault in struck if fault.shape in shapes and when in (None, fault.when)]
