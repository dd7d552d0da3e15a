"""Sort out what a node offers: whose devices, counted once each, and what is nobody's.

Pure.  The same devices may show under several names (an old plugin beside a new one, chips
and their cores, a device plugin beside resource slices): each family is counted by one of
them and the operator is told.  `inventorying` writes the result.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any, Final

from provisioning.models import AllocationMode, Family
from provisioning.vendors import NodeOffer, habits_of

UNCLEAR: Final = "unclear_family"
TWO_NAMES: Final = "two_names"
TWO_WAYS: Final = "two_ways"
NOT_SOLD: Final = "not_sold"
UNKNOWN: Final = "unknown_resource"

Amounts = Mapping[str, Any]


@dataclass(frozen=True, kw_only=True)
class Offer:
    """One family's devices on one node, by the one name they are counted under."""

    family: Family
    resource_name: str
    capacity: int
    allocatable: int
    allocation: AllocationMode = AllocationMode.DEVICE_PLUGIN


@dataclass(frozen=True)
class Oddity:
    """Something an operator should know about a node; `subject` is a name or a family."""

    code: str
    subject: str
    message: str


@dataclass
class Sorted:
    """What a node has to sell, what it has besides, and what is odd about it."""

    offers: list[Offer] = field(default_factory=list)
    unsold: dict[str, tuple[int, int]] = field(default_factory=dict)
    oddities: list[Oddity] = field(default_factory=list)


def known_names(families: Iterable[Family]) -> dict[str, list[Family]]:
    """Return which families are sold by which name."""
    by_name: dict[str, list[Family]] = {}
    for family in families:
        for resource_name in family.resource_names:
            by_name.setdefault(resource_name, []).append(family)
    return by_name


def sort_out(
    *,
    labels: Mapping[str, str],
    capacity: Amounts,
    allocatable: Amounts,
    families: Iterable[Family],
    from_slices: Iterable[Offer] = (),
) -> Sorted:
    """Say what one node offers."""
    catalogue = list(families)
    found, known = Sorted(), known_names(catalogue)
    plugged: dict[str, list[Offer]] = {}
    for name in sorted(filter(_is_extended, capacity)):
        counts = _count(capacity, name), _count(allocatable, name)
        family = _family_of(name, labels, counts[0], known.get(name, []), found)
        if family is None:
            found.unsold[name] = counts
            _say_why_not(name, counts[0], catalogue, known, found)
        else:
            offer = Offer(
                family=family, resource_name=name, capacity=counts[0], allocatable=counts[1]
            )
            plugged.setdefault(family.slug, []).append(offer)
    sliced = {offer.family.slug: offer for offer in from_slices}
    for slug in sorted({*plugged, *sliced}):
        found.offers.append(_counted_once(plugged.get(slug, []), sliced.get(slug), found))
    return found


def _is_extended(name: str) -> bool:
    """Whether a name is a vendor's: the cluster's own have no domain or its own."""
    domain, _, rest = name.partition("/")
    return bool(rest) and domain != "kubernetes.io" and not domain.endswith(".kubernetes.io")


def _family_of(
    name: str, labels: Mapping[str, str], count: int, candidates: list[Family], found: Sorted
) -> Family | None:
    if not candidates:
        return None
    slugs = tuple(family.slug for family in candidates)
    offer = NodeOffer(resource_name=name, labels=labels, families=slugs, count=count)
    slug = habits_of(candidates[0].vendor.slug).family_of(offer)
    family = next((one for one in candidates if one.slug == slug), None)
    if family is None and count:
        text = "The node's labels do not say which family these devices are of."
        found.oddities.append(Oddity(UNCLEAR, name, text))
    return family


def _say_why_not(
    name: str, count: int, catalogue: list[Family], known: Mapping[str, list[Family]], found: Sorted
) -> None:
    if name in known or not count:
        return
    facts = [(f, fact) for f in catalogue for fact in f.names if fact["name"] == name]
    if not facts:
        text = f"The catalogue knows no device by this name; the node has {count}."
        found.oddities.append(Oddity(UNKNOWN, name, text))
        return
    family, fact = facts[0]
    unit = f"A known name of {family.name} that is not sold (unit: {fact['unit']})."
    found.oddities.append(Oddity(NOT_SOLD, name, f"{unit} {fact['note']}".strip()))


def _counted_once(plugged: list[Offer], sliced: Offer | None, found: Sorted) -> Offer:
    """Choose the one way a family's devices are counted on this node."""
    if not plugged and sliced is not None:
        return sliced
    # A plugin that is gone leaves its name behind, with nothing to hand out.
    chosen = max(plugged, key=lambda offer: (offer.allocatable, offer.capacity))
    rivals = [offer.resource_name for offer in plugged if offer.capacity and offer is not chosen]
    family = chosen.family
    if rivals and chosen.capacity:
        text = (
            f"Its devices show as {chosen.resource_name} and as {', '.join(rivals)};"
            f" only {chosen.resource_name} is counted."
        )
        found.oddities.append(Oddity(TWO_NAMES, family.slug, text))
    if sliced is None:
        return chosen
    if not chosen.capacity:
        return sliced
    text = (
        f"A device plugin ({chosen.resource_name}) and a DRA driver ({sliced.resource_name})"
        " both serve this node, so a device may be handed out twice; only the device plugin"
        " is counted. Take one of them off the node."
    )
    found.oddities.append(Oddity(TWO_WAYS, family.slug, text))
    return chosen


def _count(amounts: Amounts, name: str) -> int:
    # Extended resources are whole numbers; allocatable counts the healthy ones only.
    text = str(amounts.get(name, 0))
    return int(text) if text.isdigit() else 0
