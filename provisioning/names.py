"""Legal, collision-free names and labels for everything we make in a cluster.

`Marks` is one installation's handwriting: several installations may share a cluster,
so each object says both that it is ours and which of us made it.
"""

from dataclasses import dataclass
from typing import Final
from uuid import UUID

MANAGED_BY: Final = "app.kubernetes.io/managed-by"
MANAGER: Final = "npu-farm"
INSTALLATION: Final = "app.kubernetes.io/instance"
FIELD_MANAGER: Final = "npu-farm"
CONTAINER: Final = "npu"
CLAIM: Final = "npu"
SERVICE_ACCOUNT: Final = "npu-instance"


@dataclass(frozen=True)
class Marks:
    """The installation's key and domain, and what is named after them."""

    key: str
    domain: str

    @property
    def finalizer(self) -> str:
        """Holds a pod until its seconds are in the ledger."""
        return f"{self.domain}/metering"

    @property
    def selector(self) -> str:
        """Selects what this installation made, and nothing else."""
        return f"{MANAGED_BY}={MANAGER},{INSTALLATION}={self.key}"

    def label(self, word: str) -> str:
        """Return the key of one of our labels or annotations."""
        return f"{self.domain}/{word}"

    def labels(self, **words: str) -> dict[str, str]:
        """Return the labels every object carries, and these besides."""
        ours = {self.label(word.replace("_", "-")): value for word, value in words.items()}
        return {MANAGED_BY: MANAGER, INSTALLATION: self.key, **ours}

    @property
    def own_namespace(self) -> str:
        """Names the namespace that is the installation's own: no tenant's pods live there."""
        return f"npu-{self.key}"

    def namespace(self, tenant_id: int) -> str:
        """Return the name of a tenant's namespace."""
        return f"npu-{self.key}-t{tenant_id}"


def pod_name(*, instance_id: UUID, attempt_no: int) -> str:
    """Name a pod after its attempt, so that an unknown outcome can be looked up."""
    return f"{instance_id}-a{attempt_no}"


def registry_secret(pod_name: str) -> str:
    """Name the Secret object with the login a pod's image is pulled with."""
    return f"{pod_name}-registry"


def port_host(*, instance_id: UUID, port: int, domain: str) -> str:
    """Name the host on which a port of an instance is visited."""
    return f"{instance_id}-{port}.{domain}"


def instance_id_of(text: str | None) -> UUID | None:
    """Read an instance id from a label; None if it is none of ours."""
    try:
        return UUID(text) if text else None
    except ValueError:
        return None


def attempt_no_of(text: str | None) -> int | None:
    """Read an attempt number from a label; None if it is none of ours."""
    return int(text) if text and text.isascii() and text.isdigit() and len(text) < 10 else None
