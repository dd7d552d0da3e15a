"""Back the farm up: `manage.py backup FOLDER`."""

from pathlib import Path
from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand, CommandError, CommandParser
from django.utils import timezone

from portal.engines import backups, databases, farm
from provisioning import installation


class Command(BaseCommand):
    help = "Write the database into a new folder.  The farm may be up, and is not disturbed."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("folder", type=Path)

    def handle(self, *args: Any, **options: Any) -> None:
        folder = options["folder"].resolve()
        try:
            with databases.owner_url(settings.FARM_HOME) as url:
                about = backups.write(
                    folder=folder,
                    url=url,
                    installation=installation.current().key,
                    key=settings.FARM_ENCRYPTION_KEY,
                    made_at=timezone.now(),
                )
        except (backups.BackupRefused, farm.DidNotStart) as error:
            raise CommandError(str(error)) from error
        self.stdout.write(f"{folder}: installation {about.installation}, as of {about.made_at}")
        self.stdout.write(
            f"The keys are not in it: keep {settings.FARM_HOME / 'env'} elsewhere "
            f"(key {about.key_fingerprint})."
        )
