"""The demonstration does the main job, says true figures, and does it again on the same data."""

import json
import shutil
import subprocess
import sys
from collections.abc import Iterator
from datetime import datetime
from decimal import ROUND_HALF_UP, Decimal
from pathlib import Path
from typing import Any

import pytest
from pypdf import PdfReader

from demo.serving import CHECKOUT, free_port
from portal.engines import postgres
from tests.running import own_environment

pytestmark = [pytest.mark.processes, pytest.mark.timeout(600)]


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    folder = tmp_path_factory.mktemp("demo")
    yield folder
    shutil.rmtree(postgres.base_for(folder), ignore_errors=True)


def tell_story(home: Path) -> dict[str, Any]:
    done = subprocess.run(
        [sys.executable, "-m", "demo", "--exit", "--port", str(free_port())],
        cwd=CHECKOUT,
        env=own_environment(FARM_HOME=str(home)),
        capture_output=True,
        text=True,
        timeout=400,
        check=False,
    )
    assert done.returncode == 0, done.stdout[-3000:] + done.stderr[-3000:]
    figures: dict[str, Any] = json.loads(done.stdout.strip().splitlines()[-1])
    return figures


def test_the_story_adds_up_and_can_be_told_again(home: Path) -> None:
    first, second = tell_story(home), tell_story(home)

    for told in (first, second):
        ran = datetime.fromisoformat(told["ended_at"]) - datetime.fromisoformat(told["started_at"])
        assert told["seconds"] == ran.total_seconds() >= 20
        exact = Decimal(told["device_seconds_billed"]) * Decimal(told["hourly_rate"]) / 3600
        net = int(exact.quantize(Decimal(1), ROUND_HALF_UP))
        assert told["device_seconds_billed"] == told["device_seconds"]
        assert told["net_amount"] == net
        assert told["tax_amount"] == net // 10 > 0
        assert told["total_amount"] == net + net // 10
        assert told["devices"]
    assert first["pod"] != second["pod"]
    assert first["invoice_number"] != second["invoice_number"]


def test_its_files_say_what_it_said(home: Path) -> None:
    told = tell_story(home)
    by_kind = {Path(file).suffixes[-1] + Path(file).suffixes[-2]: file for file in told["files"]}
    for language in (".ko", ".en"):
        text = "".join(page.extract_text() for page in PdfReader(by_kind[".pdf" + language]).pages)
        assert told["invoice_number"] in text
        assert f"{told['total_amount']:,}" in text
    rows = Path(by_kind[".csv.ko"]).read_text(encoding="utf-8-sig")
    assert told["invoice_number"] in rows
    assert str(told["total_amount"]) in rows
