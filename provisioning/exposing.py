"""Open and close ports of an instance to its people.

A port is open while its row is; who may visit it is the portal's affair.
"""

from datetime import datetime
from typing import Final
from uuid import UUID

from django.db import transaction
from django.db.models import QuerySet

from provisioning import deferring
from provisioning.errors import IllegalPort, PortNotOpen, TooManyPorts
from provisioning.models import Instance, InstancePort

MOST_PORTS: Final = 20


@transaction.atomic
def open_port(
    *, instance: Instance, port: int, by: str, at: datetime, is_notebook: bool = False
) -> InstancePort:
    """Open a port, perhaps as a notebook's; one that is open already becomes what is asked."""
    if not 1 <= port <= 65535:
        raise IllegalPort
    # Two who open at once wait for each other here, and the second finds the first's row.
    Instance.objects.select_for_update().get(pk=instance.pk)
    already = _open(instance.pk)
    found = already.filter(port=port).first()
    if found is not None:
        if found.is_notebook != is_notebook:
            found.is_notebook = is_notebook
            found.save(update_fields=["is_notebook"])
        return found
    if already.count() >= MOST_PORTS:
        raise TooManyPorts
    opened = InstancePort.objects.create(
        instance=instance, port=port, is_notebook=is_notebook, opened_at=at, opened_by=by
    )
    deferring.defer_drain()
    return opened


def close_port(*, instance: Instance, port: int, by: str, at: datetime) -> None:
    """Close a port; raises `PortNotOpen`."""
    if not _open(instance.pk).filter(port=port).update(closed_at=at, closed_by=by):
        raise PortNotOpen
    deferring.defer_drain()


def ports_of(instance: Instance) -> list[InstancePort]:
    """Return the open ports in order."""
    return list(_open(instance.pk))


def require_open(*, instance_id: UUID, port: int) -> None:
    """Raise `PortNotOpen` unless the port is open."""
    if not _open(instance_id).filter(port=port).exists():
        raise PortNotOpen


def is_notebook(*, instance_id: UUID, port: int) -> bool:
    """Say whether the port is open as a notebook's."""
    return _open(instance_id).filter(port=port, is_notebook=True).exists()


def _open(instance_id: UUID) -> QuerySet[InstancePort]:
    return InstancePort.objects.filter(instance_id=instance_id, closed_at__isnull=True)
