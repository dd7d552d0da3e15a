"""Where an instance's port is visited, as a browser writes it."""

from typing import Final
from urllib.parse import urlsplit

from django.conf import settings

from portal.access.hosts import Place
from provisioning.models import InstancePort

ENTER: Final = "/.npu-farm/enter"


def way_to(port: InstancePort) -> str:
    """Return the link to an open port: to a notebook's by the door at which it is signed in to."""
    return of(Place(port.instance_id, port.port)) + (ENTER if port.is_notebook else "/")


def of(place: Place) -> str:
    """Return the origin of a place: the portal's scheme and port, a host of its own."""
    portal = urlsplit(settings.FARM_ADDRESS)
    port = f":{portal.port}" if portal.port else ""
    return f"{portal.scheme}://{place.host(settings.APPS_DOMAIN)}{port}"
