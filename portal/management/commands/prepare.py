"""Make an installation ready to serve: tables, cache table, static files, catalogue, clusters."""

import time
from collections.abc import Callable, Iterator
from typing import Any

from django.core.management import call_command
from django.core.management.base import BaseCommand, CommandParser

Step = tuple[str, Callable[[], Any]]


class Command(BaseCommand):
    help = "Migrate, build and collect static files, load the catalogue.  Safe to repeat."
    requires_system_checks: list[str] = []

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--demo", action="store_true", help="invented tenants and prices too")
        parser.add_argument("--image", help="offer this workspace image too (with --demo)")
        parser.add_argument(
            "--cluster",
            action="append",
            default=[],
            metavar="NAME=FILE",
            help="a cluster to know, by its kubeconfig; may be given several times",
        )

    def handle(self, *args: Any, **options: Any) -> None:
        for name, step in _steps(options):
            started = time.monotonic()
            step()
            self.stdout.write(f"{name}: ready in {time.monotonic() - started:.1f} s")
            self.stdout.flush()


def _steps(options: dict[str, Any]) -> Iterator[Step]:
    yield "tables", lambda: call_command("migrate", verbosity=0)
    yield (
        "cache table",
        lambda: call_command("createcachetable", database="owner", verbosity=0),
    )
    yield "front end", lambda: call_command("build_static")
    yield "static files", _collect_static
    yield "catalogue", lambda: call_command("load_catalog", verbosity=0)
    if options["demo"]:
        yield "demonstration", lambda: call_command("seed_demo", image=options["image"])
    for given in options["cluster"]:
        name, _, file = given.partition("=")
        yield f"cluster {name}", _adding(name, file)


def _adding(name: str, file: str) -> Callable[[], Any]:
    given = ("--name", name, "--kubeconfig", file, "--replace")
    return lambda: call_command("add_cluster", *given)


def _collect_static() -> None:
    # Fonts of documents, source maps and the browsable API's files reach no browser;
    # compressing them would take ten times as long as the rest.
    ignored = ["Pretendard-*.ttf", "*.map", "rest_framework"]
    call_command("collectstatic", interactive=False, verbosity=0, ignore_patterns=ignored)
