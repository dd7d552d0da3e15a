"""Two thousand pods in one process: all run, all are listed, and at rest they cost nothing."""

from pathlib import Path

from tests.sandbox import scale


def test_two_thousand_pods_run_and_rest_cheaply(tmp_path: Path) -> None:
    measured = scale.measure(2000, tmp_path)
    assert measured["list_pages"] == 4
    # Far above what is measured on a quiet machine, far below what polling each pod would take.
    assert measured["idle_cpu_share"] < 0.2
    assert measured["memory_mib"] < 600
