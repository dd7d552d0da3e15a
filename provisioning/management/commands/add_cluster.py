"""Add a cluster by its kubeconfig: `manage.py add_cluster --name NAME --kubeconfig FILE`.

With `--watcher FILE` and `--access FILE` these identities have kubeconfigs of their own.
"""

from pathlib import Path
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser
from django.utils import timezone

from provisioning import clusters
from provisioning.errors import ClusterNameTaken, ProvisioningError
from provisioning.models import Cluster, ClusterState
from provisioning.states import Identity


class Command(BaseCommand):
    help = "Add a cluster, or give a known one its present kubeconfigs."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--name", required=True)
        parser.add_argument("--kubeconfig", required=True, type=Path)
        for identity in Identity:
            parser.add_argument(
                f"--{identity}", type=Path, help=f"kubeconfig of the {identity} alone"
            )
        parser.add_argument("--replace", action="store_true", help="replace credentials")

    def handle(self, *args: Any, **options: Any) -> None:
        try:
            given = options["kubeconfig"].read_text()
            others = {one: options[one].read_text() for one in Identity if options[one]}
            cluster = _add(options["name"], given, others, options["replace"])
        except (ProvisioningError, OSError, UnicodeDecodeError) as error:
            raise CommandError(str(error)) from error
        if cluster.state == ClusterState.REMOVED:
            self.stdout.write(f"{cluster}: removed earlier, and left alone")
            return
        self.stdout.write(f"{cluster}: {cluster.server_version}, {cluster.probe['nodes']} nodes")


def _add(name: str, kubeconfig: str, others: dict[Identity, str], replace: bool) -> Cluster:
    at = timezone.now()
    try:
        return clusters.admit_cluster(name=name, kubeconfig=kubeconfig, others=others, at=at)
    except ClusterNameTaken:
        if not replace:
            raise
    cluster = Cluster.objects.get(name=name)
    if cluster.state == ClusterState.REMOVED:
        return cluster
    for identity, text in [(None, kubeconfig), *others.items()]:
        cluster = clusters.replace_kubeconfig(
            cluster=cluster, kubeconfig=text, identity=identity, at=at
        )
    return cluster
