"""The sandbox's record of containers, read back: what a kill leaves open is decided."""

from pathlib import Path
from typing import Any

from benchmarks.chaos import truth
from benchmarks.chaos.truth import INSTANCE_LABEL
from tests.sandbox.conftest import QUICK
from tests.sandbox.processes import Process, wait_for


def line(what: str, second: int, container: str = "c", **more: Any) -> dict[str, Any]:
    return {
        "what": what,
        "container": container,
        "pod": "p",
        "labels": {INSTANCE_LABEL: "i"},
        "node": "n",
        "devices": {"furiosa.ai/rngd": ["npu0"]},
        "at": f"2026-03-15T03:00:{second:02}+00:00",
        **more,
    }


def test_an_end_that_died_with_the_sandbox_is_taken_back() -> None:
    told = [line("begun", 1), line("ended", 5), line("raised", 7), line("taken_over", 1)]
    [run] = truth.fold("east", told)
    assert run.ended_at is None
    [run] = truth.fold("east", [*told, line("ended", 9)])
    assert run.ended_at is not None
    assert run.ended_at.second == 9


def test_a_container_nobody_takes_over_died_at_the_last_sign_of_life() -> None:
    told = [line("begun", 1), line("begun", 4, "other"), line("raised", 9)]
    runs = truth.fold("east", [*told, line("taken_over", 4, "other"), line("ended", 20, "other")])
    assert [run.ended_at and run.ended_at.second for run in runs] == [4, 20]


def test_the_record_outlives_the_sandbox(tmp_path: Path) -> None:
    process = Process(tmp_path, farm=QUICK)
    process.start()
    try:
        process.run("stays", count=2)
        process.run("goes")
        for name in ("stays", "goes"):
            process.await_phase(name, "Running")
        process.kill()
        process.start()
        uid = process.pod("goes")["metadata"]["uid"]
        process.ask("DELETE", "/api/v1/namespaces/default/pods/goes")
        wait_for(lambda: any(run.ended_at for run in truth.read_runs(tmp_path)))
        ended, running = sorted(truth.read_runs(tmp_path), key=lambda run: run.ended_at is None)
    finally:
        process.kill()
    assert ended.pod == uid
    assert running.ended_at is None
    assert len(running.devices) == 2
    assert not set(ended.devices) & set(running.devices)
