"""Read and write the host of an instance's port: `<instance id>-<port>.<apps domain>`.

Pure.  Every port of every instance is an origin of its own, so what one page does the
browser keeps from all others, and from the portal.
"""

import re
from dataclasses import dataclass
from typing import Final
from uuid import UUID

from provisioning import names

_PLACE: Final = re.compile(
    r"([0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12})-([1-9][0-9]{0,4})"
)
_HOST: Final = re.compile(r"([a-z0-9.-]+?)\.?(?::[0-9]{1,5})?")


@dataclass(frozen=True)
class Place:
    """One port of one instance."""

    instance_id: UUID
    port: int

    def host(self, domain: str) -> str:
        """Return its host name."""
        return names.port_host(instance_id=self.instance_id, port=self.port, domain=domain)


def name_of(host: str) -> str | None:
    """Return the name in a Host header, as names are compared; None if there is none."""
    found = _HOST.fullmatch(host.lower())
    return found[1] if found else None


def is_inside(host: str, domain: str) -> bool:
    """Say whether a Host header names something below the apps domain, real or not."""
    name = name_of(host)
    return name is not None and name.endswith(f".{domain}")


def place_at(host: str, domain: str) -> Place | None:
    """Return which port of which instance a Host header names, if any."""
    name = name_of(host) or ""
    found = _PLACE.fullmatch(name.removesuffix(f".{domain}"))
    if not is_inside(host, domain) or found is None or int(found[2]) > 65535:
        return None
    return Place(UUID(found[1]), int(found[2]))
