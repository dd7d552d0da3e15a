"""A real browser: Debian's, by its path."""

import os
from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser, sync_playwright

from tests.journeys import browsing

CHROMIUM = Path(os.environ.get("CHROMIUM", "/usr/bin/chromium"))
ARGUMENTS = ["--headless", "--no-sandbox", "--disable-gpu", "--disable-background-networking"]


@pytest.fixture(scope="package")
def browser() -> Iterator[Browser]:
    for needed, how in (
        (CHROMIUM, "apt-get install chromium, or say where it is with CHROMIUM=…"),
        (browsing.AXE, "manage.py build_static"),
    ):
        if not needed.exists():
            pytest.fail(f"{needed} is missing: {how}")
    with sync_playwright() as playwright:
        chromium = playwright.chromium.launch(executable_path=CHROMIUM, args=ARGUMENTS)
        yield chromium
        chromium.close()
