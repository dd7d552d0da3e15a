"""Rebellions: newer plugins call ATOM and REBEL devices by one name, so the labels decide.

The labels tell of a node's first device only.  Where they contradict each other or count
other devices than the plugin offers, the node is mixed, and its devices are nobody's.
The unit is a logical device, not a card, and all chips of one container form one group.
"""

from typing import Final

from provisioning.vendors.base import Exporter, Health, Load, NodeOffer, Vendor

GENERIC_NAME: Final = "rebellions.ai/npu"
FAMILY_LABEL: Final = "rebellions.ai/npu.family"
PRODUCT_LABEL: Final = "rebellions.ai/npu.product"
COUNT_LABEL: Final = "rebellions.ai/npu.count"
UPGRADE_LABEL: Final = "rebellions.ai/npu-driver-upgrade-state"
_BY_LABEL: Final = {"ATOM": "rebellions-atom", "REBEL": "rebellions-rebel"}
_BY_PRODUCT: Final = {"RBLN-CA": "rebellions-atom", "RBLN-CR": "rebellions-rebel"}


class Rebellions(Vendor):
    """ATOM and REBEL."""

    slug = "rebellions"
    # Zero is good here; exporters emit the old name unless told otherwise.
    health = Health(metrics=("rbln_npu_health", "RBLN_DEVICE_STATUS:HEALTH"), good_value=0)
    load = Load(metrics=("rbln_npu_utilization", "RBLN_DEVICE_STATUS:UTILIZATION"))
    exporters = (Exporter(selector="app.kubernetes.io/name=rbln-metrics-exporter", port=9090),)

    def family_of(self, offer: NodeOffer) -> str | None:
        """Ask the labels first: the name may be another family's too, one we do not sell."""
        if offer.resource_name != GENERIC_NAME:
            return super().family_of(offer)
        told = _told(offer)
        if not told:
            return super().family_of(offer)
        family = told.pop()
        is_clear = not told and not _counts_others(offer)
        return family if is_clear and family in offer.families else None

    def node_selector(self, *, family: str, resource_name: str) -> dict[str, str]:
        """Keep to nodes of the family where the name is shared."""
        label = next((name for name, slug in _BY_LABEL.items() if slug == family), None)
        return {FAMILY_LABEL: label} if label and resource_name == GENERIC_NAME else {}


def _told(offer: NodeOffer) -> set[str]:
    """Every family a label of the node speaks of."""
    family = _BY_LABEL.get(offer.labels.get(FAMILY_LABEL, ""))
    product = _BY_PRODUCT.get(offer.labels.get(PRODUCT_LABEL, "")[:7])
    return {slug for slug in (family, product) if slug}


def _counts_others(offer: NodeOffer) -> bool:
    """Whether the node has other devices beside those under this name."""
    said = offer.labels.get(COUNT_LABEL, "")
    return said.isdigit() and offer.count is not None and int(said) != offer.count
