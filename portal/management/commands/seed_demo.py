"""Seed invented people, tenants and prices."""

from pathlib import Path
from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand, CommandParser
from django.utils import timezone

from portal import seeding


class Command(BaseCommand):
    help = "Seed invented people, tenants and prices; the logins go to demo.json.  Safe to repeat."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--image", help="offer this workspace image too")

    def handle(self, *args: Any, **options: Any) -> None:
        home = Path(settings.FARM_HOME)
        logins = seeding.seed(home=home, image=options["image"], at=timezone.now())
        for part, login in logins.items():
            self.stdout.write(f"login of the {part}: {login['email']}  {login['password']}")
