"""Chip vendors, one module each for those that have habits; data alone does for the rest."""

from provisioning.vendors.base import Exporter, Health, Load, NodeOffer, Vendor
from provisioning.vendors.furiosa import Furiosa
from provisioning.vendors.mobilint import Mobilint
from provisioning.vendors.rebellions import Rebellions

VENDORS: dict[str, Vendor] = {
    vendor.slug: vendor for vendor in (Furiosa(), Mobilint(), Rebellions())
}

_WITHOUT_HABITS = Vendor()


def habits_of(slug: str) -> Vendor:
    """Return what is peculiar about a vendor; most have nothing."""
    return VENDORS.get(slug, _WITHOUT_HABITS)


__all__ = ["VENDORS", "Exporter", "Health", "Load", "NodeOffer", "Vendor", "habits_of"]
