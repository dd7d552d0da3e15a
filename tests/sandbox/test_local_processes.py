"""Containers that are local processes: what they say, how they end, and that none is left over."""

import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from provisioning.sandbox.objects import Json
from tests.sandbox.processes import PODS, Process, wait_for

SHELL, WEB = "registry.local/npu-shell:1", "registry.local/npu-web:1"
FARM = """
delays: {schedule: 0.0, kubelet_sync: 0.0, container_start: 0.0, service_account: 0.0}
images:
  - {name: "registry.local/npu-shell:1", pull_seconds: 0.0, process: true}
  - {name: "registry.local/npu-web:1", pull_seconds: 0.0, process: true}
clusters:
  - name: quick
    nodes: [{name: one}]
"""


def _raised(folder: Path) -> Process:
    farm = folder / "farm.yaml"
    farm.write_text(FARM)
    process = Process(folder / "state", farm=farm)
    process.start()
    return process


@pytest.fixture(scope="module")
def farm(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Process]:
    os.environ["NOT_FOR_CONTAINERS"] = "secret"
    process = _raised(tmp_path_factory.mktemp("processes"))
    del os.environ["NOT_FOR_CONTAINERS"]
    try:
        yield process
    finally:
        process.kill()


def _run(farm: Process, name: str, script: str = "", **spec: object) -> None:
    container: Json = {"name": "main", "image": SHELL}
    container |= {"command": ["sh", "-c", script]} if script else {}
    container |= spec.pop("container", {})  # type: ignore[arg-type]
    farm.run(name, count=0, containers=[container], **spec)


def _log(farm: Process, name: str) -> list[str]:
    return farm.ask("GET", f"{PODS}/{name}/log").text.splitlines()


def _ended(farm: Process, name: str, phase: str = "Failed") -> tuple[int, str]:
    told = farm.await_phase(name, phase)["status"]["containerStatuses"][0]["state"]["terminated"]
    return told["exitCode"], told["reason"]


def test_log_is_what_it_wrote_and_the_code_is_its_own(farm: Process) -> None:
    _run(farm, "seven", "echo out; echo wrong >&2; exit 7")
    assert _ended(farm, "seven") == (7, "Error")
    assert sorted(_log(farm, "seven")) == ["out", "wrong"]


# A kubelet makes one dollar of two.
def test_program_that_kills_itself_ends_with_128_and_the_signal(farm: Process) -> None:
    _run(farm, "killed", "kill -9 $$$$")
    assert _ended(farm, "killed") == (137, "Error")


def test_variables_are_the_manifests_and_nothing_of_ours(farm: Process) -> None:
    variables = [{"name": "A", "value": "1"}, {"name": "B", "value": "$(A)2 $$(A)"}]
    _run(farm, "variables", container={"env": variables})
    wait_for(lambda: "B=12 $(A)" in _log(farm, "variables"))
    assert not [line for line in _log(farm, "variables") if line.startswith("NOT_FOR_CONTAINERS")]


def test_missing_program_is_a_start_error(farm: Process) -> None:
    _run(farm, "missing", container={"command": ["no-such-program"]})
    assert _ended(farm, "missing") == (128, "StartError")


def test_program_may_end_within_its_grace(farm: Process) -> None:
    _run(farm, "tidy", "trap 'echo bye; exit 3' TERM; echo up; while :; do sleep 0.05; done")
    wait_for(lambda: _log(farm, "tidy") == ["up"])
    held = {"metadata": {"finalizers": ["test.example/held"]}}
    farm.ask("PATCH", f"{PODS}/tidy", held)
    farm.ask("DELETE", f"{PODS}/tidy")
    assert _ended(farm, "tidy") == (3, "Error")
    assert _log(farm, "tidy") == ["up", "bye"]
    farm.ask("PATCH", f"{PODS}/tidy", {"metadata": {"finalizers": None}})


def test_program_that_does_not_listen_is_killed_with_all_it_started(farm: Process) -> None:
    script = "trap '' TERM; setsid sleep 1000 & echo $!; while :; do sleep 0.05; done"
    _run(farm, "deaf", script, terminationGracePeriodSeconds=1)
    wait_for(lambda: bool(_log(farm, "deaf")))
    child = int(_log(farm, "deaf")[0])
    assert Path(f"/proc/{child}").exists()
    farm.ask("DELETE", f"{PODS}/deaf")
    wait_for(lambda: farm.ask("GET", f"{PODS}/deaf").status == 404)
    wait_for(lambda: not _is_alive(child))


def test_two_pods_may_listen_on_one_port(farm: Process) -> None:
    for name in ("first", "second"):
        _run(farm, name, container={"image": WEB})
    for name in ("first", "second"):
        path = f"{PODS}/{name}:8080/proxy/"
        wait_for(lambda path=path: farm.ask("GET", path).status == 200)  # type: ignore[misc]
        assert f"<h1>{name}</h1>" in farm.ask("GET", path).text


def test_root_runs_nothing_as_root(farm: Process) -> None:
    _run(farm, "who", "id -u")
    _ended(farm, "who", "Succeeded")
    assert _log(farm, "who") == ["65534" if os.geteuid() == 0 else str(os.geteuid())]


def test_no_process_outlives_a_sandbox_that_is_killed(tmp_path: Path) -> None:
    process = _raised(tmp_path)
    try:
        _run(process, "left", "setsid sleep 1000 & echo $$$$ $!; wait")
        wait_for(lambda: bool(_log(process, "left")))
        pids = [int(word) for word in _log(process, "left")[0].split()]
    finally:
        process.kill()
    wait_for(lambda: not any(_is_alive(pid) for pid in pids))
    process.start()
    try:
        assert _ended(process, "left") == (255, "Unknown")
    finally:
        process.kill()


def _is_alive(pid: int) -> bool:
    try:
        state = Path(f"/proc/{pid}/stat").read_text(encoding="ascii").rpartition(")")[2].split()[0]
    except OSError:
        return False
    return state != "Z"
