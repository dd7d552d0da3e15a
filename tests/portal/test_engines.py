"""The embedded engines: secrets kept once, data never taken for another farm's."""

import contextlib
import os
import shlex
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from django.core.management import CommandError, call_command

from portal.engines import environment, farm, ports, postgres, processes


def test_secrets_are_made_once_and_read_by_their_owner_alone(tmp_path: Path) -> None:
    first = environment.complete(tmp_path)
    assert environment.complete(tmp_path) == first
    assert (tmp_path / "env").stat().st_mode & 0o077 == 0


def test_a_port_that_is_taken_is_given_up(tmp_path: Path) -> None:
    import socket

    before = environment.complete(tmp_path)
    with socket.socket() as squatter:
        squatter.bind(("127.0.0.1", int(before["SANDBOX_PORT"])))
        squatter.listen()
        after = environment.complete(tmp_path)
    assert after["SANDBOX_PORT"] != before["SANDBOX_PORT"]
    assert ports.is_free(int(after["SANDBOX_PORT"]))


def test_data_of_a_removed_farm_are_put_aside_and_kept(tmp_path: Path) -> None:
    place = tmp_path / "place"
    assert postgres.claim(place, farm_id="first") is None
    (place / "data").mkdir()
    (place / "data" / "row").write_text("kept")

    assert postgres.claim(place, farm_id="first") is None
    left = postgres.claim(place, farm_id="second")

    assert left is not None
    assert (left / "data" / "row").read_text() == "kept"
    assert not (place / "data").exists()


@pytest.mark.parametrize("line", ["", "NO_EQUALS", "A=b=c"])
def test_an_odd_line_of_the_file_is_no_crash(tmp_path: Path, line: str) -> None:
    (tmp_path / "env").write_text(f"{line}\nX=1\n")
    assert environment.load(tmp_path)["X"] == "1"


def test_a_farm_that_is_still_stopping_keeps_its_folder(tmp_path: Path) -> None:
    home = tmp_path / "home"
    with farm.only_one(home) as lock:
        # As the supervisor does, it outlives whoever started it.
        left = subprocess.Popen(["sleep", "60"], stdin=lock)
    try:
        with pytest.raises(farm.AlreadyUp), farm.only_one(home):
            pass
    finally:
        left.kill()
        left.wait()
    with farm.only_one(home):
        pass


def test_the_folder_is_closed_to_others(tmp_path: Path) -> None:
    with farm.only_one(tmp_path / "home"):
        assert (tmp_path / "home").stat().st_mode & 0o077 == 0


@pytest.mark.parametrize(("key", "serves"), [("", False), ("a key of its own", True)])
def test_the_web_refuses_a_key_everybody_knows(tmp_path: Path, key: str, serves: bool) -> None:
    outside = {"FARM_HOME": str(tmp_path), "DATABASE_URL": "postgres://x@127.0.0.1:1/x"}
    done = subprocess.run(
        [sys.executable, "-W", "ignore", "-c", "import portal.asgi"],
        env={"PATH": os.environ["PATH"], "SECRET_KEY": key, **outside},
        capture_output=True,
        text=True,
        check=False,
    )
    assert (done.returncode == 0) is serves, done.stderr
    assert serves or "SECRET_KEY is not set" in done.stderr


def groups_read_by_supervisor(home: Path, *found: processes.Program) -> list[Any]:
    from supervisor.options import ServerOptions

    file = processes.write_configuration(home=home, checkout=home, found=list(found))
    options = ServerOptions()
    with contextlib.chdir(home):
        options.realize(["-c", str(file)])
    groups: list[Any] = options.process_group_configs
    return groups


def test_the_database_is_stopped_when_nobody_needs_it_any_more(tmp_path: Path) -> None:
    database = processes.Program("postgres", ["postgres"], early=True)
    users = [processes.Program(name, [name]) for name in ("web", "worker")]

    groups = groups_read_by_supervisor(tmp_path, database, *users)

    # The group of the highest priority first, and all of a group at once.
    stopped = sorted(groups, key=lambda group: -group.priority)
    names = [{one.name for one in group.process_configs} for group in stopped]
    assert names == [{"web", "worker"}, {"postgres"}]


@pytest.mark.parametrize("name", ["plain", "with space", "100%s", '"quoted"', "한국"])
def test_the_supervisor_reads_what_is_written_for_any_folder(tmp_path: Path, name: str) -> None:
    home = tmp_path / name
    program = processes.Program("beat", ["beat", "--schedule", str(home / "beat")])

    (group,) = groups_read_by_supervisor(home, program)

    (read,) = group.process_configs
    mortal = ["setpriv", "--pdeathsig", "TERM", "--"]
    assert shlex.split(read.command) == [*mortal, *program.command]
    assert Path(home, read.stdout_logfile) == home / "log" / "beat.log"


def test_a_farm_that_is_up_already_is_told_so(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(plan: farm.Plan, **kwargs: object) -> None:
        raise farm.AlreadyUp

    monkeypatch.setattr(farm, "run", refuse)

    with pytest.raises(CommandError, match="up in another terminal"):
        call_command("up")
