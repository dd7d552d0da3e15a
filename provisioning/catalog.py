"""Load what is on offer from the YAML files of `provisioning/catalog/`.

The files say what the facts say; what they drop is retired, never deleted, since
instances and invoices still name it.  A name nobody has confirmed is kept and shown, and
is not sold: only confirmed names and the operator's own (`FARM_RESOURCE_NAMES`) are looked
for on nodes, and a family without any has no sizes to choose from.
"""

from pathlib import Path
from typing import Any, Final

import yaml
from django.conf import settings
from django.db import transaction

from provisioning import usage
from provisioning.models import Confidence, Family, InstanceType, RuntimeImage, Vendor
from provisioning.vendors import constraints

FILES: Final = Path(__file__).with_name("catalog")

Entry = dict[str, Any]


@transaction.atomic
def load_catalog(*, files: Path = FILES) -> None:
    """Make the tables say what the files say.  Safe to repeat; raises `IllegalSpec`."""
    documents = [yaml.safe_load(file.read_text()) for file in sorted(files.glob("*.yaml"))]
    offered: set[str] = set()
    for document in documents:
        for family in document.get("families", ()):
            offered |= _load_family(vendor=document["vendor"], entry=family)
        for image in document.get("images", ()):
            RuntimeImage.objects.update_or_create(
                slug=image["slug"],
                defaults={"name": image["name"], "reference": image["reference"]},
            )
    InstanceType.objects.exclude(slug__in=offered).update(is_retired=True)


def _load_family(*, vendor: Entry, entry: Entry) -> set[str]:
    """Write one family; returns the sizes of it that are on offer."""
    maker, _ = Vendor.objects.update_or_create(
        slug=vendor["slug"], defaults={"name": vendor["name"]}
    )
    family, _ = Family.objects.update_or_create(
        slug=entry["slug"], defaults={"vendor": maker, **_facts(entry)}
    )
    sizes = entry.get("instance_types", [])
    for size in sizes:
        constraints.refuse_broken(rules=family.constraints, size=size, family=family.name)
    if not family.resource_names or not sizes:
        return set()
    usage.offer_sku(code=entry["sku"]["code"], name=entry["sku"]["name"])
    for size in sizes:
        _load_size(family=family, sku_code=entry["sku"]["code"], entry=size)
    return {size["slug"] for size in sizes}


def _facts(entry: Entry) -> Entry:
    given = settings.FARM_RESOURCE_NAMES.get(entry["slug"], [])
    names = [_name(name, entry) for name in entry["names"] if name["name"] not in given]
    names += [_given(name, entry) for name in given]
    return {
        "name": entry["name"],
        "names": names,
        "resource_names": [name["name"] for name in names if name["is_sold"]],
        "unit": entry["unit"],
        "cards": entry.get("cards", []),
        "constraints": entry.get("constraints", {}),
        "dra": entry.get("dra", {}),
        "lifecycle": entry.get("lifecycle", ""),
        "specs": {
            **entry["specs"],
            "confidence": entry.get("specs_confidence", "confirmed"),
            "sources": entry["sources"],
        },
        "confidence": entry["confidence"],
    }


def _name(name: Entry, entry: Entry) -> Entry:
    is_confirmed = name["confidence"] == Confidence.CONFIRMED
    is_sold = is_confirmed and name.get("is_sold", True)
    return {"unit": entry["unit"], "note": "", **name, "is_sold": is_sold, "is_given": False}


def _given(name: str, entry: Entry) -> Entry:
    """A name the operator vouches for, whatever the files think of it."""
    said = {"name": name, "unit": entry["unit"], "note": "", "confidence": Confidence.CONFIRMED}
    return {**said, "is_sold": True, "is_given": True}


def _load_size(*, family: Family, sku_code: str, entry: Entry) -> None:
    InstanceType.objects.update_or_create(
        slug=entry["slug"],
        defaults={
            "family": family,
            "name": entry["name"],
            "device_count": entry["devices"],
            "cpu_millicores": entry["vcpu"] * 1000,
            "memory_mib": entry["memory_gib"] * 1024,
            "storage_gib": entry["storage_gib"],
            "sku_code": sku_code,
            "is_retired": False,
        },
    )
