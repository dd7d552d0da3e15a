"""SAPEON: no device plugin was ever published, so resource names come from the farm that has one.

The setting `FARM_RESOURCE_NAMES` names them; the catalogue invents none.
"""

from provisioning.vendors.base import Vendor


class Sapeon(Vendor):
    """The X series."""

    slug = "sapeon"
