"""Operate one cluster: `manage.py cluster NAME pause|resume|drain|remove|probe|examine|show`.

`manage.py cluster NAME lose --because "..." --confirm NAME` gives one up.
"""

from collections.abc import Callable
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser
from django.utils import timezone

from provisioning import clusters, draining, examining, losing, probing
from provisioning.errors import ProvisioningError
from provisioning.management import operators
from provisioning.models import Cluster

ACTS: dict[str, Callable[[Cluster], object]] = {
    "pause": lambda cluster: clusters.pause_cluster(cluster=cluster),
    "resume": lambda cluster: clusters.resume_cluster(cluster=cluster, at=timezone.now()),
    "drain": lambda cluster: draining.drain_cluster(cluster=cluster, at=timezone.now()),
    "remove": lambda cluster: draining.remove_cluster(cluster=cluster, at=timezone.now()),
    "probe": lambda cluster: probing.probe_cluster(cluster=cluster, at=timezone.now()),
    "examine": lambda cluster: examining.examine_cluster(cluster=cluster, clock=timezone.now),
    "show": lambda cluster: None,
}

LOSE = "lose"


class Command(BaseCommand):
    help = "Pause, resume, drain, remove, lose, probe or examine a cluster, and say how it is."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("name")
        parser.add_argument("act", choices=sorted([*ACTS, LOSE]))
        parser.add_argument("--because", default="", help="why it is given up; kept")
        parser.add_argument("--confirm", default="", help="the name of the cluster to give up")

    def handle(self, *args: Any, **options: Any) -> None:
        cluster = Cluster.objects.filter(name=options["name"]).first()
        if cluster is None:
            raise CommandError(f"There is no cluster {options['name']!r}.")
        try:
            if options["act"] == LOSE:
                self._lose(cluster, options)
            else:
                ACTS[options["act"]](cluster)
        except ProvisioningError as error:
            raise CommandError(str(error)) from error
        cluster.refresh_from_db()
        self.stdout.write(f"{cluster}: {cluster.state}, Kubernetes {cluster.server_version}")
        for finding in cluster.findings.all():
            self.stdout.write(f"  {finding.question}: {finding.verdict}. {finding.detail}")

    def _lose(self, cluster: Cluster, options: dict[str, Any]) -> None:
        loss = losing.declare_lost(
            cluster=cluster,
            confirmation=options["confirm"],
            reason=options["because"],
            by=operators.who_asks(),
            at=timezone.now(),
        )
        self.stdout.write(
            f"{loss.instance_count} instances, {loss.run_count} runs and"
            f" {loss.volume_count} volumes ended with it"
        )
