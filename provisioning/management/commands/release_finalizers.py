"""Let the pods of a cluster go before uninstalling: `manage.py release_finalizers NAME`."""

from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser

from provisioning import releasing
from provisioning.errors import ProvisioningError
from provisioning.models import Cluster


class Command(BaseCommand):
    help = "Take our finalizer off the pods of one cluster."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("name")
        parser.add_argument(
            "--unsettled",
            action="store_true",
            help="also where the seconds are not in the ledger: they end as last proved",
        )

    def handle(self, *args: Any, **options: Any) -> None:
        cluster = Cluster.objects.filter(name=options["name"]).first()
        if cluster is None:
            raise CommandError(f"There is no cluster {options['name']!r}.")
        try:
            done = releasing.release_finalizers(cluster=cluster, unsettled=options["unsettled"])
        except ProvisioningError as error:
            raise CommandError(str(error)) from error
        self.stdout.write(f"{len(done.names)} released")
        if done.kept:
            raise CommandError(f"{len(done.kept)} kept, not settled: {', '.join(done.kept[:10])}")
