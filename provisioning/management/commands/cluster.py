"""Operate one cluster: `manage.py cluster NAME pause|resume|drain|remove|probe|examine|show`."""

from collections.abc import Callable
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser
from django.utils import timezone

from provisioning import clusters, draining, examining, probing
from provisioning.errors import ProvisioningError
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


class Command(BaseCommand):
    help = "Pause, resume, drain, remove, probe or examine one cluster, and say how it is."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("name")
        parser.add_argument("act", choices=sorted(ACTS))

    def handle(self, *args: Any, **options: Any) -> None:
        cluster = Cluster.objects.filter(name=options["name"]).first()
        if cluster is None:
            raise CommandError(f"There is no cluster {options['name']!r}.")
        try:
            ACTS[options["act"]](cluster)
        except ProvisioningError as error:
            raise CommandError(str(error)) from error
        cluster.refresh_from_db()
        self.stdout.write(f"{cluster}: {cluster.state}, Kubernetes {cluster.server_version}")
        for finding in cluster.findings.all():
            self.stdout.write(f"  {finding.question}: {finding.verdict}. {finding.detail}")
