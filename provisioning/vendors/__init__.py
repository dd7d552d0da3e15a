"""Chip vendors, one module each."""

from provisioning.vendors.base import NodeOffer, Vendor
from provisioning.vendors.furiosa import Furiosa
from provisioning.vendors.rebellions import Rebellions
from provisioning.vendors.sapeon import Sapeon

VENDORS: dict[str, Vendor] = {vendor.slug: vendor for vendor in (Furiosa(), Rebellions(), Sapeon())}

__all__ = ["VENDORS", "NodeOffer", "Vendor"]
