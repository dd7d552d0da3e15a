"""Load vendors, families, instance types and images."""

from typing import Any

from django.core.management.base import BaseCommand

from provisioning.catalog import load_catalog
from provisioning.models import InstanceType


class Command(BaseCommand):
    help = "Load what is on offer from the catalogue files.  Safe to repeat."

    def handle(self, *args: Any, **options: Any) -> None:
        load_catalog()
        offered = InstanceType.objects.filter(is_retired=False).count()
        if options["verbosity"] > 0:
            self.stdout.write(f"{offered} instance types on offer")
