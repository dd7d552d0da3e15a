"""Read a backup back in: `manage.py restore FOLDER`, while the farm is down."""

from pathlib import Path
from typing import Any

from django.conf import settings
from django.core.management import call_command
from django.core.management.base import BaseCommand, CommandError, CommandParser
from django.db import connections

from portal.engines import backups, databases, farm


class Command(BaseCommand):
    help = "Replace everything in the database by a backup.  Every cluster is held afterwards."
    requires_system_checks: list[str] = []

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("folder", type=Path)
        parser.add_argument(
            "--other-key",
            action="store_true",
            help="go on although the credentials in it cannot be read with this farm's key",
        )

    def handle(self, *args: Any, **options: Any) -> None:
        try:
            about = backups.read_about(options["folder"])
            ours = backups.fingerprint(settings.FARM_ENCRYPTION_KEY)
            if about.key_fingerprint != ours and not options["other_key"]:
                raise backups.BackupRefused(
                    f"It was made with key {about.key_fingerprint}, this farm has {ours}: "
                    "set FARM_ENCRYPTION_KEY to the old one, or give --other-key."
                )
            with databases.owner_url(settings.FARM_HOME, alone=True) as url:
                backups.read_back(folder=options["folder"], url=url)
                connections.close_all()
                call_command("migrate", verbosity=0)
                connections.close_all()
        except (backups.BackupRefused, farm.AlreadyUp, farm.DidNotStart) as error:
            raise CommandError(str(error) or "The farm is up; stop it first.") from error
        self.stdout.write(f"Restored installation {about.installation} as of {about.made_at}.")
        self.stdout.write("Every cluster is held.  Start the farm, then: manage.py settle_restore")
