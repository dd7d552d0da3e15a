"""Serve the whole farm from one terminal."""

from pathlib import Path
from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand, CommandError, CommandParser

from portal.engines import farm


class Command(BaseCommand):
    help = "Start database, sandbox, web, worker, beat and watchers; stop them with Ctrl-C."
    requires_system_checks: list[str] = []

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--address", default="127.0.0.1", help="where the web listens")
        parser.add_argument("--port", type=int, default=8000)
        parser.add_argument("--web-processes", type=int, default=2)
        parser.add_argument(
            "--kubeconfig",
            action="append",
            default=[],
            metavar="[NAME=]FILE",
            help="use this cluster instead of the sandbox; may be given several times",
        )
        parser.add_argument(
            "--sandbox-farm", type=Path, metavar="FILE", help="simulate the farm of this file"
        )
        parser.add_argument("--demo", action="store_true", help="with invented tenants and prices")
        parser.add_argument("--image", help="offer this workspace image too (with --demo)")

    def handle(self, *args: Any, **options: Any) -> None:
        prepare = ["--demo"] if options["demo"] else []
        if options["demo"] and options["image"]:
            prepare += ["--image", options["image"]]
        plan = farm.Plan(
            home=Path(settings.FARM_HOME),
            checkout=Path(settings.BASE_DIR),
            address=options["address"],
            port=options["port"],
            sandbox=not options["kubeconfig"],
            sandbox_farm=options["sandbox_farm"] and options["sandbox_farm"].resolve(),
            kubeconfigs=dict(map(_named, options["kubeconfig"])),
            web_processes=options["web_processes"],
            prepare=tuple(prepare),
        )
        try:
            farm.run(plan, say=self._say)
        except (farm.AlreadyUp, farm.DidNotStart, TimeoutError) as error:
            logs = plan.home / "log"
            raise CommandError(f"{str(error) or error.__doc__} (logs: {logs})") from error

    def _say(self, line: str) -> None:
        self.stdout.write(line)
        self.stdout.flush()


def _named(given: str) -> tuple[str, Path]:
    name, separator, file = given.rpartition("=")
    path = Path(file).expanduser().resolve()
    if not path.is_file():
        raise CommandError(f"no such kubeconfig: {path}")
    return (name if separator else path.stem.split(".")[0], path)
