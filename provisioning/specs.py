"""Frozen values that travel between the rooms of provisioning.

`InstanceSpec` is a tenant's wish as `launching` takes it.
"""

from dataclasses import dataclass
from datetime import datetime


@dataclass(frozen=True, kw_only=True)
class InstanceSpec:
    """What is wished: who pays, which size, which image, until when."""

    tenant_id: int
    project_id: int
    account_id: int
    name: str
    instance_type_slug: str
    image_slug: str
    command: tuple[str, ...] = ()
    environment: tuple[tuple[str, str], ...] = ()
    ends_at: datetime | None = None
