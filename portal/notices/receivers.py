"""Hear that there is something to tell a tenant, and have it carried to people."""

from typing import Any

from portal.notices import deferring
from provisioning.events import tenant_notice


def connect() -> None:
    """Start listening."""
    tenant_notice.connect(carry_soon, dispatch_uid="portal.notices.carry_soon")


def carry_soon(sender: object, **told: Any) -> None:
    """Ask a worker to take it over; what was told stands in its row."""
    deferring.defer_carrying()
