"""The front end's sources: exact, without a host, built once."""

import json
import re
import time
from pathlib import Path

import pytest

from portal.web import building

LOCK = building.FRONTEND_DIR / "package-lock.json"


def test_versions_are_exact() -> None:
    wanted = json.loads((building.FRONTEND_DIR / "package.json").read_text())
    versions = {**wanted["dependencies"], **wanted["devDependencies"]}

    assert all(re.fullmatch(r"\d+\.\d+\.\d+", version) for version in versions.values())
    assert versions["tailwindcss"] == versions["@tailwindcss/cli"] == "4.3.3"


def test_the_lock_names_no_host_and_checks_every_package() -> None:
    packages = json.loads(LOCK.read_text())["packages"]
    fetched = [one for name, one in packages.items() if name and not one.get("inBundle")]

    assert "://" not in re.sub(r'"(?:url|funding)": "[^"]*"', "", LOCK.read_text())
    assert all("integrity" in one and "resolved" not in one for one in fetched)


def test_a_second_build_is_one_look(tmp_path: Path) -> None:
    if not building.PACKAGES_DIR.exists():
        pytest.fail("npm packages are missing: run `manage.py build_static` once")
    told: list[str] = []

    assert building.build_frontend(into=tmp_path, report=told.append)
    assert {"app.css", "app.js", "usage.js", "fonts.css"} <= {f.name for f in tmp_path.iterdir()}
    assert len(list((tmp_path / "pretendard").glob("*.woff2"))) > 50
    assert (tmp_path / "fonts" / "Pretendard-Regular.ttf").stat().st_size > 1_000_000
    assert told

    began = time.monotonic()
    assert not building.build_frontend(into=tmp_path, report=told.append)
    assert time.monotonic() - began < 1


def test_a_failing_step_says_what_it_said() -> None:
    with pytest.raises(building.BuildFailed, match="no-such-script"):
        building._node(Path("no-such-script.js"))


def test_only_classes_of_our_own_templates_are_in_the_style_sheet(tmp_path: Path) -> None:
    building.build_frontend(into=tmp_path, report=lambda line: None)
    styles = (tmp_path / "app.css").read_text()

    assert ".btn" in styles
    assert ".equation" in styles
    assert "carousel" not in styles
    assert len(styles) < 90_000
