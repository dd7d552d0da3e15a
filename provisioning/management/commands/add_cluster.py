"""Add a cluster by its kubeconfig: `manage.py add_cluster --name NAME --kubeconfig FILE`."""

from pathlib import Path
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser
from django.utils import timezone

from provisioning import clusters
from provisioning.errors import ClusterNameTaken, ProvisioningError
from provisioning.models import Cluster


class Command(BaseCommand):
    help = "Add a cluster, or give a known one its present kubeconfig."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--name", required=True)
        parser.add_argument("--kubeconfig", required=True, type=Path)
        parser.add_argument("--replace", action="store_true", help="replace credentials")

    def handle(self, *args: Any, **options: Any) -> None:
        try:
            cluster = _add(options["name"], options["kubeconfig"].read_text(), options["replace"])
        except (ProvisioningError, OSError, UnicodeDecodeError) as error:
            raise CommandError(str(error)) from error
        self.stdout.write(f"{cluster}: {cluster.server_version}, {cluster.probe['nodes']} nodes")


def _add(name: str, kubeconfig: str, replace: bool) -> Cluster:
    try:
        return clusters.admit_cluster(name=name, kubeconfig=kubeconfig, at=timezone.now())
    except ClusterNameTaken:
        if not replace:
            raise
    cluster = Cluster.objects.get(name=name)
    clusters.replace_kubeconfig(cluster=cluster, kubeconfig=kubeconfig)
    cluster = Cluster.objects.get(name=name)
    return clusters.probe_cluster(cluster=cluster, at=timezone.now())
