"""The embedded broker: a message arrives whole, once, and at one worker only."""

import threading
from collections import Counter
from pathlib import Path
from queue import Empty

import pytest
from kombu import Connection

import portal.celery  # noqa: F401 - knows the scheme

MESSAGES = 400
READERS = 4


@pytest.fixture
def options(tmp_path: Path) -> dict[str, str | float]:
    folders = {name: tmp_path / name for name in ("queue", "control")}
    for folder in folders.values():
        folder.mkdir()
    return {
        "data_folder_in": str(folders["queue"]),
        "data_folder_out": str(folders["queue"]),
        "control_folder": str(folders["control"]),
        "polling_interval": 0.001,
    }


def connect(options: dict[str, str | float]) -> Connection:
    return Connection("folder://localhost", transport_options=options)


def test_readers_that_race_the_writer_get_each_message_once(
    options: dict[str, str | float],
) -> None:
    got: Counter[int] = Counter()
    broken: list[Exception] = []
    done = threading.Event()

    def read() -> None:
        with connect(options) as connection, connection.SimpleQueue("race") as queue:
            while True:
                nothing_will_follow = done.is_set()
                try:
                    message = queue.get(block=False)
                except Empty:
                    if nothing_will_follow:
                        return
                except Exception as error:  # noqa: BLE001 - whatever it is, the test says so
                    broken.append(error)
                    return
                else:
                    got[message.payload["n"]] += 1
                    message.ack()

    # Bound before anybody publishes: what has no queue yet is dropped, by AMQP's rules too.
    with connect(options) as connection, connection.SimpleQueue("race"):
        pass
    readers = [threading.Thread(target=read) for _ in range(READERS)]
    for reader in readers:
        reader.start()
    with connect(options) as connection, connection.SimpleQueue("race") as queue:
        for n in range(MESSAGES):
            queue.put({"n": n, "padding": "x" * 2000})
    done.set()
    for reader in readers:
        reader.join(timeout=30)
    # What a reader had fetched and not taken when it left is back in the queue.
    read()
    assert not broken
    assert got == Counter(range(MESSAGES))


def test_many_who_bind_at_once_are_all_bound(options: dict[str, str | float]) -> None:
    def bind(number: int) -> None:
        with connect(options) as connection:
            channel = connection.channel()
            channel.queue_declare(queue=f"q{number}")
            channel.exchange_declare(exchange="news", type="fanout")
            channel.queue_bind(queue=f"q{number}", exchange="news", routing_key="")

    binders = [threading.Thread(target=bind, args=(number,)) for number in range(12)]
    for binder in binders:
        binder.start()
    for binder in binders:
        binder.join(timeout=30)
    with connect(options) as connection:
        table = connection.channel().get_table("news")
    assert {row.queue for row in table} == {f"q{number}" for number in range(12)}
