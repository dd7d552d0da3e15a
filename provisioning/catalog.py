"""Load what is on offer from the YAML files of `provisioning/catalog/`.

The files say what the facts say; what they drop is retired, never deleted, since
instances and invoices still name it.
"""

from pathlib import Path
from typing import Any, Final

import yaml
from django.conf import settings
from django.db import transaction

from provisioning import usage
from provisioning.models import Family, InstanceType, RuntimeImage, Vendor

FILES: Final = Path(__file__).with_name("catalog")

Entry = dict[str, Any]


@transaction.atomic
def load_catalog(*, files: Path = FILES) -> None:
    """Make the tables say what the files say.  Safe to repeat."""
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
    maker, _ = Vendor.objects.update_or_create(
        slug=vendor["slug"], defaults={"name": vendor["name"]}
    )
    given = settings.FARM_RESOURCE_NAMES.get(entry["slug"], [])
    family, _ = Family.objects.update_or_create(
        slug=entry["slug"],
        defaults={
            "vendor": maker,
            "name": entry["name"],
            "resource_names": [*entry["resource_names"], *given],
            "specs": {
                **entry["specs"],
                "confidence": entry.get("specs_confidence", "confirmed"),
                "sources": entry["sources"],
            },
            "confidence": entry["confidence"],
        },
    )
    usage.offer_sku(code=entry["sku"]["code"], name=entry["sku"]["name"])
    for size in entry["instance_types"]:
        _load_size(family=family, sku_code=entry["sku"]["code"], entry=size)
    return {size["slug"] for size in entry["instance_types"]}


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
