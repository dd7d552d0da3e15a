"""The embedded engines: secrets kept once, data never taken for another farm's."""

from pathlib import Path

import pytest

from portal.engines import environment, ports, postgres


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
