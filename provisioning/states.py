"""The words for what an instance is, what is wished of it, and what an attempt has come to."""

from enum import StrEnum
from typing import Final


class Desired(StrEnum):
    """What the tenant wishes an instance to be."""

    RUNNING = "running"
    STOPPED = "stopped"
    TERMINATED = "terminated"


class State(StrEnum):
    """What we have concluded an instance to be."""

    QUEUED = "queued"
    PROVISIONING = "provisioning"
    SCHEDULING = "scheduling"
    STARTING = "starting"
    RUNNING = "running"
    UNREACHABLE = "unreachable"
    RECOVERING = "recovering"
    STOPPING = "stopping"
    STOPPED = "stopped"
    FAILED = "failed"
    TERMINATING = "terminating"
    TERMINATED = "terminated"


class AttemptState(StrEnum):
    """How far one attempt at a pod has come."""

    INTENDED = "intended"
    CREATED = "created"
    GONE = "gone"


class Identity(StrEnum):
    """As whom we speak to a cluster: who looks, who acts, who reaches into instances."""

    WATCHER = "watcher"
    WORKER = "worker"
    ACCESS = "access"


class Supply(StrEnum):
    """Whether any node could ever hold what a pod asks for."""

    HERE = "here"
    ELSEWHERE = "elsewhere"
    NOWHERE = "nowhere"


class Settlement(StrEnum):
    """What is known about the use a pod has made of its devices.

    Of a lost one the ledger has what was proved, and takes nothing more.
    """

    NEVER_RAN = "never_ran"
    OPEN = "open"
    CLOSED = "closed"
    LOST = "lost"


class VolumeState(StrEnum):
    """What we have concluded a volume to be."""

    PENDING = "pending"
    READY = "ready"
    DELETING = "deleting"
    DELETED = "deleted"
    LOST = "lost"


class SecretKind(StrEnum):
    """How an instance finds a secret: as a variable or as a file."""

    ENV = "env"
    FILE = "file"


ENDED: Final = frozenset({State.STOPPED, State.FAILED, State.TERMINATED})
"""A launch has ended here: no pod is wanted, quota is free."""
