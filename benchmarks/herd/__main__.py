"""`python -m benchmarks.herd MODULE COUNT`: one bench, on an empty database of its own."""

import importlib
import os
import sys
from pathlib import Path

import django
from django.core.management import call_command

from portal.engines import throwaway


def main(module: str, count: int) -> None:
    """Set Django up, and measure."""
    # Commit times tell when something was there to be read.
    os.environ |= throwaway.start(track_commit_timestamp="on")
    os.environ |= {"DJANGO_SETTINGS_MODULE": "portal.settings.base", "LOG_LEVEL": "ERROR"}
    for folder in ("queue", "control"):
        Path(os.environ["FARM_HOME"], "broker", folder).mkdir(parents=True)
    django.setup()
    call_command("migrate", verbosity=0)
    # Its models can be imported only now.
    importlib.import_module(f"benchmarks.herd.{module}").measure(count)


if __name__ == "__main__":
    main(sys.argv[1], int(sys.argv[2]))
