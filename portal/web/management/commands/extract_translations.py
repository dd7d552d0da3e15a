"""Bring new strings of the pages into the catalogues."""

from typing import Any

from django.core.management.base import BaseCommand

from portal.web import translating


class Command(BaseCommand):
    help = (
        "Bring new strings into the catalogues, drop the gone ones, and say what is untranslated."
    )
    requires_system_checks: list[str] = []

    def handle(self, *args: Any, **options: Any) -> None:
        translating.merge_catalogues()
        missing = [
            entry.id for entry in translating.read_catalogue("ko") if entry.id and not entry.string
        ]
        self.stdout.write(f"{len(missing)} strings have no Korean yet")
