"""A killed sandbox comes back as it was: same objects, same containers, versions still growing."""

import time
from collections.abc import Iterator
from datetime import datetime
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from provisioning.sandbox import serving
from provisioning.sandbox.journal import FileJournal
from provisioning.sandbox.kinds import CONFIG_MAPS, PODS
from provisioning.sandbox.store import Store
from tests.sandbox.conftest import QUICK
from tests.sandbox.processes import PODS as PATH
from tests.sandbox.processes import Process, wait_for
from tests.sandbox.worlds import World, devices_of, state_of


@pytest.fixture
def killed(tmp_path: Path) -> Iterator[Process]:
    """A sandbox a test may kill."""
    process = Process(tmp_path, farm=QUICK)
    process.start()
    yield process
    process.kill()


def test_pods_and_containers_outlive_a_sigkill(killed: Process) -> None:
    for number in range(3):
        killed.run(f"p{number}")
        killed.await_phase(f"p{number}", "Running")
    before = killed.ask("GET", PATH).body
    token = killed.token("quick")
    killed.kill()
    killed.start()
    after = killed.ask("GET", PATH).body
    assert killed.token("quick") == token
    assert after["items"] == before["items"]
    assert int(after["metadata"]["resourceVersion"]) >= int(before["metadata"]["resourceVersion"])


def test_versions_go_on_growing_after_a_sigkill(killed: Process) -> None:
    version = int(killed.run("before")["metadata"]["resourceVersion"])
    killed.kill()
    killed.start()
    assert int(killed.run("after")["metadata"]["resourceVersion"]) > version


def test_who_watched_before_has_to_list_again(killed: Process) -> None:
    version = killed.ask("GET", PATH).body["metadata"]["resourceVersion"]
    killed.run("p")
    killed.await_phase("p", "Running")
    killed.kill()
    killed.start()
    events = killed.watch(PATH, resourceVersion=version, timeoutSeconds=1)
    assert [event["type"] for event in events] == ["ERROR"]
    now = killed.ask("GET", PATH).body["metadata"]["resourceVersion"]
    assert killed.watch(PATH, resourceVersion=now, timeoutSeconds=1) == []


def test_program_that_sleeps_ends_on_time_across_a_sigkill(killed: Process) -> None:
    container = {"name": "main", "image": "registry.local/npu-workspace:1"}
    killed.run("nap", containers=[{**container, "command": ["sleep", "3"]}])
    killed.await_phase("nap", "Running")
    killed.kill()
    killed.start()
    ended = state_of(killed.await_phase("nap", "Succeeded"))["terminated"]
    took = datetime.fromisoformat(ended["finishedAt"]) - datetime.fromisoformat(ended["startedAt"])
    assert 3 <= took.total_seconds() <= 5


def test_stop_asked_before_a_sigkill_is_carried_out_after_it(killed: Process) -> None:
    killed.run("p")
    killed.await_phase("p", "Running")
    killed.operate("POST", "/clusters/quick/nodes/one/lose")
    killed.operate("POST", "/clusters/quick/nodes/two/lose")
    assert killed.ask("DELETE", f"{PATH}/p", {"gracePeriodSeconds": 1}).status == 200
    killed.kill()
    killed.start()
    wait_for(lambda: killed.ask("GET", f"{PATH}/p").status == 404)


def test_two_sandboxes_do_not_share_a_folder(killed: Process) -> None:
    with pytest.raises(serving.CannotServe, match="another sandbox uses"):
        serving.take_place(port=0, folder=killed.folder)


def test_taken_port_is_said(killed: Process, tmp_path: Path) -> None:
    port = int(killed.address.rpartition(":")[2])
    with pytest.raises(serving.CannotServe, match=f"port {port} is taken"):
        serving.take_place(port=port, folder=tmp_path / "elsewhere")


# The journal itself


def test_devices_are_held_across_a_restart(tmp_path: Path) -> None:
    world = World(folder=tmp_path)
    world.run("p", count=2, nodeSelector={"kubernetes.io/hostname": "one"})
    world.pass_time(5)
    held = devices_of(world.pod("p"))
    again = World(folder=tmp_path, clock=world.clock)
    again.run("next", count=2, nodeSelector={"kubernetes.io/hostname": "one"})
    again.pass_time(5)
    assert devices_of(again.pod("p")) == held
    assert not set(devices_of(again.pod("next"))) & set(held)


def test_a_line_cut_short_is_left_out(tmp_path: Path) -> None:
    store, _journal = _filled(tmp_path, {"a": "1", "b": "2"})
    path = tmp_path / "j"
    whole = path.read_bytes()
    path.write_bytes(whole[:-5])
    again = Store(FileJournal(path))
    FileJournal(path).load(again)
    assert [stored.key[1] for stored in again.all(CONFIG_MAPS)] == ["a"]
    assert again.rv < store.rv


def _filled(folder: Path, data: dict[str, str]) -> tuple[Store, FileJournal]:
    journal = FileJournal(folder / "j")
    store = Store(journal)
    journal.load(store)
    for name, value in data.items():
        store.put(CONFIG_MAPS, _map(name, value))
    return store, journal


def _map(name: str, value: str) -> dict[str, object]:
    return {"metadata": {"name": name, "namespace": "n"}, "data": {"value": value}}


NAMES = st.sampled_from(["a", "b", "c"])


@settings(max_examples=50, deadline=None)
@given(writes=st.lists(st.tuples(NAMES, st.one_of(st.none(), st.text(max_size=5))), max_size=30))
def test_what_is_written_is_what_comes_back(
    tmp_path_factory: pytest.TempPathFactory, writes: list[tuple[str, str | None]]
) -> None:
    folder = tmp_path_factory.mktemp("journal")
    store, journal = _filled(folder, {})
    for name, value in writes:
        if value is not None:
            store.put(CONFIG_MAPS, _map(name, value))
        elif store.get(CONFIG_MAPS, "n", name):
            store.remove(CONFIG_MAPS, ("n", name))
    again = Store()
    FileJournal(folder / "j").load(again)
    assert [one.object for one in again.all(CONFIG_MAPS)] == [
        one.object for one in store.all(CONFIG_MAPS)
    ]
    assert again.rv == store.rv
    del journal


def test_loading_leaves_a_small_file(tmp_path: Path) -> None:
    store, _ = _filled(tmp_path, {})
    for number in range(200):
        store.put(CONFIG_MAPS, _map("same", str(number)))
    before = (tmp_path / "j").stat().st_size
    FileJournal(tmp_path / "j").load(Store())
    assert (tmp_path / "j").stat().st_size < before / 50


def test_ten_thousand_pods_come_back_quickly_enough_to_be_used(tmp_path: Path) -> None:
    """Not a measurement: only that nothing about a restart grows with the square of the pods."""
    store, _ = _filled(tmp_path, {})
    pod = {"spec": {"containers": [{"name": "c", "image": "i"}]}, "status": {"phase": "Pending"}}
    for number in range(10_000):
        store.put(PODS, {"metadata": {"name": f"p{number}", "namespace": "n"}, **pod})
    began = time.monotonic()
    again = Store()
    FileJournal(tmp_path / "j").load(again)
    assert len(again.all(PODS)) == 10_000
    assert time.monotonic() - began < 30
