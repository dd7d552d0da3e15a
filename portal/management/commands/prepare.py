"""Make an installation ready to serve: tables, cache table, static files, catalogue."""

import time
from collections.abc import Callable
from typing import Any

from django.core.management import call_command
from django.core.management.base import BaseCommand


class Command(BaseCommand):
    help = "Migrate, build and collect static files, load the catalogue.  Safe to repeat."
    requires_system_checks: list[str] = []

    def handle(self, *args: Any, **options: Any) -> None:
        steps: list[tuple[str, Callable[[], Any]]] = [
            ("tables", lambda: call_command("migrate", verbosity=0)),
            (
                "cache table",
                lambda: call_command("createcachetable", database="owner", verbosity=0),
            ),
            ("front end", lambda: call_command("build_static")),
            ("static files", _collect_static),
            ("catalogue", lambda: call_command("load_catalog", verbosity=0)),
        ]
        for name, step in steps:
            started = time.monotonic()
            step()
            self.stdout.write(f"{name}: ready in {time.monotonic() - started:.1f} s")
            self.stdout.flush()


def _collect_static() -> None:
    # Fonts of documents, source maps and the browsable API's files reach no browser;
    # compressing them would take ten times as long as the rest.
    ignored = ["Pretendard-*.ttf", "*.map", "rest_framework"]
    call_command("collectstatic", interactive=False, verbosity=0, ignore_patterns=ignored)
