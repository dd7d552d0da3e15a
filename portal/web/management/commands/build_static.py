"""Build style sheet, scripts and fonts, and compile the translations."""

from pathlib import Path
from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand, CommandError

from portal.web import building, translating


class Command(BaseCommand):
    help = "Build style sheet, scripts, fonts and translations; quick when nothing changed."
    requires_system_checks: list[str] = []

    def handle(self, *args: Any, **options: Any) -> None:
        try:
            built = building.build_frontend(
                into=Path(settings.FRONTEND_BUILD_DIR), report=self._say
            )
        except building.BuildFailed as error:
            raise CommandError(str(error)) from error
        compiled = translating.compile_catalogues()
        if not built and not compiled:
            self._say("front end: nothing has changed")

    def _say(self, line: str) -> None:
        self.stdout.write(line)
        self.stdout.flush()
