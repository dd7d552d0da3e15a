"""Rebellions: newer plugins call ATOM and REBEL devices by one name, so the labels decide.

The unit is a logical device, not a card, and all chips of one container form one group.
"""

from typing import Final

from provisioning.vendors.base import Health, NodeOffer, Vendor

GENERIC_NAME: Final = "rebellions.ai/npu"
FAMILY_LABEL: Final = "rebellions.ai/npu.family"
PRODUCT_LABEL: Final = "rebellions.ai/npu.product"
_BY_LABEL: Final = {"ATOM": "rebellions-atom", "REBEL": "rebellions-rebel"}
_BY_PRODUCT: Final = {"RBLN-CA": "rebellions-atom", "RBLN-CR": "rebellions-rebel"}


class Rebellions(Vendor):
    """ATOM and REBEL."""

    slug = "rebellions"
    # Zero is good here; exporters emit the old name unless told otherwise.
    health = Health(metrics=("rbln_npu_health", "RBLN_DEVICE_STATUS:HEALTH"), good_value=0)

    def family_of(self, offer: NodeOffer) -> str | None:
        """Ask the labels first: the name may be another family's too, one we do not sell."""
        product = offer.labels.get(PRODUCT_LABEL, "")
        told = _BY_LABEL.get(offer.labels.get(FAMILY_LABEL, "")) or _BY_PRODUCT.get(product[:7])
        if offer.resource_name != GENERIC_NAME or told is None:
            return super().family_of(offer)
        return told if told in offer.families else None

    def node_selector(self, *, family: str, resource_name: str) -> dict[str, str]:
        """Keep to nodes of the family where the name is shared."""
        label = next((name for name, slug in _BY_LABEL.items() if slug == family), None)
        return {FAMILY_LABEL: label} if label and resource_name == GENERIC_NAME else {}
