"""Follow one cluster: `manage.py watch_cluster NAME`.

One watcher per cluster, by an advisory lock on the session: it is gone when the session is,
and so are we.  Others wait for it.
"""

import time
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser
from django.db import connection
from django.utils import timezone

from provisioning.models import Cluster
from provisioning.watching import Watcher, WatchLost

# Any number will do that no other lock of ours uses.
LOCK_SPACE = 7301


class Command(BaseCommand):
    help = "Follow the pods of one cluster and write what they say."
    requires_system_checks: list[str] = []

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("name")

    def handle(self, *args: Any, **options: Any) -> None:
        cluster = Cluster.objects.filter(name=options["name"]).first()
        if cluster is None:
            raise CommandError(f"There is no cluster {options['name']!r}.")
        while not _is_ours(cluster):
            time.sleep(1)
        self.stdout.write(f"watching {cluster}")
        try:
            Watcher(cluster, clock=timezone.now).follow()
        except WatchLost as error:
            raise CommandError(f"{cluster} is lost: {error}") from error


def _is_ours(cluster: Cluster) -> bool:
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_try_advisory_lock(%s, %s)", [LOCK_SPACE, cluster.pk])
        return bool(cursor.fetchone()[0])
