"""Bring a restored farm right: look, read, then `--accept DIGEST --by NAME`."""

from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser
from django.utils import timezone

from portal.requests import restoring
from provisioning.comparing import Comparison
from provisioning.errors import ProvisioningError


class Command(BaseCommand):
    help = "Name what differs between this database and the held clusters; settle it once reviewed."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--accept", metavar="DIGEST", help="settle what this digest names")
        parser.add_argument("--by", help="who has reviewed it")
        parser.add_argument(
            "--give-up", action="store_true", help="let pods that nobody can place end unbilled"
        )

    def handle(self, *args: Any, **options: Any) -> None:
        try:
            if options["accept"]:
                self._settle(options)
            else:
                self._show(restoring.compare(at=timezone.now()))
        except ProvisioningError as error:
            raise CommandError(str(error)) from error

    def _show(self, comparison: Comparison) -> None:
        if not comparison.holds:
            self.stdout.write("No cluster is held: there is nothing to settle.")
            return
        for hold in comparison.holds:
            self.stdout.write(
                f"{hold.cluster}: held since {hold.found_at:%Y-%m-%d %H:%M:%S} UTC ({hold.cause}); "
                f"known until {hold.known_until or 'never'}.  What began and ended in between "
                "stands on no list."
            )
        for difference in comparison.differences:
            self.stdout.write(difference.line())
        for claim in comparison.claims:
            self.stdout.write(claim.line())
        self.stdout.write(f"{len(comparison.differences) + len(comparison.claims)} differences")
        self.stdout.write(f"settle with: --accept {comparison.digest} --by NAME")

    def _settle(self, options: dict[str, Any]) -> None:
        if not options["by"]:
            raise CommandError("--by NAME says who has reviewed it.")
        settled = restoring.settle(
            accepted=options["accept"],
            by=options["by"],
            at=timezone.now(),
            give_up=options["give_up"],
        )
        self.stdout.write(f"{len(settled.instances)} settled")
        for difference, why in settled.left:
            self.stdout.write(f"left: {difference.line()}: {why}")
        if settled.left and not options["give_up"]:
            raise CommandError("The clusters stay held: settle the rest, or --give-up.")
