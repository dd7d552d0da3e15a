"""Let the pods of a cluster go before uninstalling: `manage.py release_finalizers NAME`."""

from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser
from django.utils import timezone

from provisioning import releasing
from provisioning.errors import ProvisioningError
from provisioning.management import operators
from provisioning.models import Cluster


class Command(BaseCommand):
    help = (
        "Take our finalizer off the pods of one cluster whose seconds are in the ledger. "
        "Stop the workers first, or they put it on new ones."
    )

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("name", help="the cluster")
        parser.add_argument("--dry-run", action="store_true", help="only say what would be done")
        parser.add_argument(
            "--force",
            action="store_true",
            help="also where the seconds are not in the ledger: they end as last proved",
        )
        parser.add_argument("--because", default="", help="why; needed with --force, and kept")

    def handle(self, *args: Any, **options: Any) -> None:
        cluster = Cluster.objects.filter(name=options["name"]).first()
        if cluster is None:
            raise CommandError(f"There is no cluster {options['name']!r}.")
        if options["force"] and not options["because"].strip():
            raise CommandError("Say why with --because: it is kept with the cluster.")
        try:
            self._release(cluster, options)
        except ProvisioningError as error:
            raise CommandError(str(error)) from error

    def _release(self, cluster: Cluster, options: dict[str, Any]) -> None:
        holding = releasing.find_held(cluster=cluster)
        if options["dry_run"]:
            self._say("would be released", [pod.name for pod in holding.settled])
            self._say("not settled", [pod.name for pod in holding.unsettled])
            return
        self._say("released", releasing.release_settled(cluster=cluster, holding=holding))
        if options["force"]:
            forced = releasing.release_unsettled(
                cluster=cluster,
                holding=holding,
                by=operators.who_asks(),
                because=options["because"].strip(),
                at=timezone.now(),
            )
            self._say("released, not settled", forced)
        elif holding.unsettled:
            names = ", ".join(pod.name for pod in holding.unsettled[:10])
            raise CommandError(f"{len(holding.unsettled)} kept, not settled: {names}")

    def _say(self, what: str, names: list[str]) -> None:
        self.stdout.write(f"{len(names)} {what}")
        for name in names:
            self.stdout.write(f"  {name}")
