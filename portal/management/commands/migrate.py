"""Migrate as the owner of the tables unless told otherwise."""

from typing import Any

from django.core.management.base import CommandParser
from django.core.management.commands import migrate


class Command(migrate.Command):
    """`migrate`, with the owner's connection as the default."""

    def add_arguments(self, parser: CommandParser) -> None:
        """Take Django's arguments and change one default."""
        super().add_arguments(parser)
        parser.set_defaults(database="owner")

    def handle(self, *args: Any, **options: Any) -> str | None:
        """Run Django's command."""
        result: str | None = super().handle(*args, **options)
        return result
