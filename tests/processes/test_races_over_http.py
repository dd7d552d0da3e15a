"""Races between people, over HTTP, against several web processes."""

from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest

from demo.client import Person, Refused
from tests.running import RunningFarm

pytestmark = [pytest.mark.processes, pytest.mark.timeout(600)]

SignIn = Callable[[str], Person]

FAMILY = "rebellions-atom"
QUOTA = 10
AT_ONCE = 50


@pytest.fixture
def sign_in(farm: RunningFarm) -> Iterator[SignIn]:
    people: list[Person] = []

    def signed_in(part: str) -> Person:
        people.append(Person(address=farm.address, **farm.logins[part]))
        return people[-1]

    yield signed_in
    for person in people:
        person.close()


def project_of(alice: Person) -> dict[str, Any]:
    return alice.items("projects", tenant=alice.get("me")["tenants"][0]["slug"])[0]


def ask_for_quota(alice: Person, *, devices: int) -> dict[str, Any]:
    body = {
        "project": project_of(alice)["id"],
        "family": FAMILY,
        "devices": devices,
        "justification": "races",
    }
    return alice.post("quota-requests", body)


def quota_of(alice: Person) -> dict[str, Any]:
    found = alice.items("quotas", project=project_of(alice)["id"], family=FAMILY)
    return found[0] if found else {"granted": 0, "reserved": 0, "free": 0}


def at_once(calls: list[Callable[[], Any]]) -> tuple[list[Any], list[str]]:
    """Make all calls at the same time; returns answers and refusals."""
    with ThreadPoolExecutor(len(calls)) as pool:
        futures = [pool.submit(call) for call in calls]
    refusals = [str(future.exception()) for future in futures if future.exception()]
    for future in futures:
        if error := future.exception():
            assert isinstance(error, Refused), error
    return [future.result() for future in futures if not future.exception()], refusals


def test_of_two_approvers_one_decides(sign_in: SignIn) -> None:
    alice = sign_in("tenant")
    approvers = [sign_in("approver"), sign_in("second approver")]
    before = quota_of(alice)["granted"]
    for _ in range(5):
        asked = ask_for_quota(alice, devices=1)
        decide = [
            lambda by=by, asked=asked: by.post(f"quota-requests/{asked['id']}/approve")
            for by in approvers
        ]
        decided, refused = at_once(decide)
        assert len(decided) == 1
        assert len(refused) == 1
        assert "already_decided" in refused[0]
    assert quota_of(alice)["granted"] == before + 5


def test_of_fifty_requests_ten_devices_are_reserved(sign_in: SignIn) -> None:
    alice = sign_in("tenant")
    bob = sign_in("approver")
    missing = QUOTA - quota_of(alice)["free"]
    if missing > 0:
        asked = ask_for_quota(alice, devices=missing)
        bob.post(f"quota-requests/{asked['id']}/approve")
    before = quota_of(alice)
    assert before["free"] == QUOTA
    project = project_of(alice)
    people = [sign_in("tenant") for _ in range(8)]
    wish = {"project": project["id"], "instance_type": "atom-1", "image": "workspace"}

    def ask(number: int) -> Callable[[], Any]:
        by = people[number % len(people)]
        return lambda: by.post("instance-requests", {**wish, "name": f"race-{number}"})

    launched, refused = at_once([ask(number) for number in range(AT_ONCE)])

    assert len(launched) == QUOTA
    assert len(refused) == AT_ONCE - QUOTA
    assert all("quota_exceeded" in refusal for refusal in refused)
    after = quota_of(alice)
    assert after["reserved"] == before["reserved"] + QUOTA
    assert after["free"] == 0
    for request in launched:
        for instance in request["instances"]:
            alice.post(f"instances/{instance}/terminate")
