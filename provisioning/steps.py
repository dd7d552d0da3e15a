"""What `lifecycle` may answer: a change of state, one thing to do, or rest."""

from dataclasses import dataclass
from datetime import timedelta
from typing import Final
from uuid import UUID

from provisioning.states import State

AT_ONCE: Final = timedelta(0)


@dataclass(frozen=True)
class Place:
    """Choose a pool and write the next attempt down."""


@dataclass(frozen=True)
class PrepareNamespace:
    """Apply the tenant's namespace and what belongs in it."""


@dataclass(frozen=True)
class CreatePod:
    """Post the attempt's pod."""


@dataclass(frozen=True)
class FindPod:
    """Look the attempt's pod up by its name."""


@dataclass(frozen=True)
class AdoptPod:
    """Take the pod the watcher saw for the attempt's own."""

    uid: UUID


@dataclass(frozen=True)
class DeletePod:
    """Ask for the pod's end; its absence is waited for."""

    uid: UUID


@dataclass(frozen=True)
class ReleasePod:
    """Take the metering finalizer off a pod whose seconds are settled."""

    uid: UUID


@dataclass(frozen=True)
class BuryAttempt:
    """Write down that the attempt's pod is gone."""

    no: int


Effect = (
    Place | PrepareNamespace | CreatePod | FindPod | AdoptPod | DeletePod | ReleasePod | BuryAttempt
)


@dataclass(frozen=True, kw_only=True)
class Move:
    """Conclude another state."""

    to: State
    reason: str
    message: str = ""
    dead_letter: str = ""


@dataclass(frozen=True, kw_only=True)
class Act:
    """Do one thing; look again after `again` unless something happens before."""

    effect: Effect
    again: timedelta = AT_ONCE


@dataclass(frozen=True, kw_only=True)
class Rest:
    """Do nothing until something happens, or until `again` has passed.

    The reason may change while the state does not, and a person may be called.
    """

    again: timedelta | None = None
    reason: str | None = None
    message: str | None = None
    dead_letter: str = ""


Step = Move | Act | Rest
