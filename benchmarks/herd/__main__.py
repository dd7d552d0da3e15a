"""`python -m benchmarks.herd COUNT MODULE...`: benches beside one herd, on their own database."""

import importlib
import os
import sys
from pathlib import Path

import django
from django.core.management import call_command

from portal.engines import throwaway


def main(count: int, modules: list[str]) -> None:
    """Set Django up, raise the herd, and measure."""
    # Commit times tell when something was there to be read.
    os.environ |= throwaway.start(track_commit_timestamp="on")
    os.environ |= {"DJANGO_SETTINGS_MODULE": "portal.settings.base", "LOG_LEVEL": "ERROR"}
    for folder in ("queue", "control"):
        Path(os.environ["FARM_HOME"], "broker", folder).mkdir(parents=True)
    django.setup()
    call_command("migrate", verbosity=0)
    # Its models can be imported only now.
    raising = importlib.import_module("benchmarks.herd.raising")
    with raising.running_herd(count) as herd:
        for module in modules:
            importlib.import_module(f"benchmarks.herd.{module}").measure(herd)


if __name__ == "__main__":
    main(int(sys.argv[1]), sys.argv[2:])
