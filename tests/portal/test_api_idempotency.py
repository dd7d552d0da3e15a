"""A call repeated under its key happens once."""

from datetime import timedelta
from functools import partial

import pytest
import time_machine
from rest_framework.response import Response
from rest_framework.test import APIClient

from portal.api import idempotency
from portal.api.models import IdempotencyKey
from portal.api.tasks import forget_idempotency_keys
from portal.requests.models import QuotaRequest
from portal.tenants.models import Project, Tenant, User
from tests.factories.portal import NOON, Catalog
from tests.portal.conftest import Calls
from tests.portal.racing import race

ADDRESS = "/api/v1/quota-requests"
pytestmark = pytest.mark.django_db


@pytest.fixture
def body(project: Project, catalog: Catalog) -> dict[str, object]:
    return {"project": project.pk, "family": "rngd", "devices": 2, "justification": "Cameras"}


def _post(client: APIClient, body: dict[str, object], key: str = "k-1") -> Response:
    return client.post(ADDRESS, body, headers={"Idempotency-Key": key})


def test_the_second_call_gets_the_first_answer(
    api: Calls, alice: User, body: dict[str, object]
) -> None:
    client = api(alice)

    first, second = _post(client, body), _post(client, body)

    assert (first.status_code, second.status_code) == (201, 201)
    assert first.json() == second.json()
    assert second["Idempotent-Replay"] == "true"
    assert QuotaRequest.objects.count() == 1


def test_other_keys_and_no_key_are_other_calls(
    api: Calls, alice: User, body: dict[str, object]
) -> None:
    client = api(alice)

    _post(client, body)
    _post(client, body, key="k-2")
    client.post(ADDRESS, body)

    assert QuotaRequest.objects.count() == 3


def test_a_key_belongs_to_one_person(
    api: Calls, alice: User, charlie: User, other_project: Project, body: dict[str, object]
) -> None:
    _post(api(alice), body)

    answer = _post(api(charlie), {**body, "project": other_project.pk})

    assert answer.status_code == 201
    assert answer.json()["project"] == other_project.pk


@pytest.mark.parametrize("change", [{"devices": 3}, {"justification": "Other"}])
def test_another_body_under_the_same_key_is_refused(
    api: Calls, alice: User, body: dict[str, object], change: dict[str, object]
) -> None:
    client = api(alice)
    _post(client, body)

    answer = _post(client, {**body, **change})

    assert answer.status_code == 422
    assert answer.json()["code"] == "idempotency_key_reused"
    assert QuotaRequest.objects.count() == 1


def test_another_address_under_the_same_key_is_refused(
    api: Calls, alice: User, body: dict[str, object]
) -> None:
    client = api(alice)
    _post(client, body)

    answer = client.post("/api/v1/tenants", {"name": "Second"}, headers={"Idempotency-Key": "k-1"})

    assert answer.status_code == 422
    assert Tenant.objects.count() == 1


def test_a_refused_call_leaves_its_key_free(
    api: Calls, alice: User, body: dict[str, object]
) -> None:
    client = api(alice)

    assert _post(client, {**body, "devices": 0}).status_code == 422
    assert _post(client, body).status_code == 201


def test_while_the_first_is_running_the_second_waits(
    api: Calls, alice: User, body: dict[str, object]
) -> None:
    client = api(alice)
    _post(client, body)
    IdempotencyKey.objects.update(status=None, body=None)

    answer = _post(client, body)

    assert answer.status_code == 409
    assert answer.json()["retryable"] is True
    assert QuotaRequest.objects.count() == 1


def test_a_call_that_died_is_taken_over(api: Calls, alice: User, body: dict[str, object]) -> None:
    client = api(alice)
    _post(client, body)
    # As a process leaves it that was killed before it committed.
    QuotaRequest.objects.all().delete()
    IdempotencyKey.objects.update(status=None, body=None)

    with time_machine.travel(NOON + idempotency.GIVEN_UP_AFTER + timedelta(seconds=1)):
        assert _post(client, body).status_code == 201

    assert QuotaRequest.objects.count() == 1


def test_a_call_that_was_taken_over_counts_no_more(
    api: Calls, alice: User, body: dict[str, object], monkeypatch: pytest.MonkeyPatch
) -> None:
    """The first is so slow that a second takes its key: only the second's work stays."""
    client = api(alice)
    slow = idempotency._work_and_remember

    def overtaken(row: IdempotencyKey, work: object) -> Response:
        monkeypatch.setattr(idempotency, "_work_and_remember", slow)
        with time_machine.travel(NOON + idempotency.GIVEN_UP_AFTER + timedelta(seconds=1)):
            assert _post(client, body).status_code == 201
        return slow(row, work)  # type: ignore[arg-type]

    monkeypatch.setattr(idempotency, "_work_and_remember", overtaken)

    assert _post(client, body).status_code == 409
    assert QuotaRequest.objects.count() == 1
    assert IdempotencyKey.objects.get().status == 201


def test_after_a_day_the_key_is_new_again(api: Calls, alice: User, body: dict[str, object]) -> None:
    client = api(alice)
    first = _post(client, body).json()

    with time_machine.travel(NOON + timedelta(hours=23, minutes=59), tick=False):
        assert _post(client, body).json() == first
        assert forget_idempotency_keys() == 0
    # The token has ended by then, so a session calls; a browser's test client checks no CSRF.
    client.credentials()
    client.force_login(alice)
    with time_machine.travel(NOON + timedelta(hours=24, seconds=1), tick=False):
        again = _post(client, body)
        assert again.status_code == 201
        assert again.json()["id"] != first["id"]
    with time_machine.travel(NOON + timedelta(days=3), tick=False):
        assert forget_idempotency_keys() == 1


@pytest.mark.parametrize("key", ["", "a b", "a" * 256, "ключ", "a\tb"])
def test_a_senseless_key_is_refused(
    api: Calls, alice: User, body: dict[str, object], key: str
) -> None:
    answer = _post(api(alice), body, key=key)

    assert answer.status_code == 422
    assert answer.json()["code"] == "idempotency_key_refused"
    assert not QuotaRequest.objects.exists()


def test_a_secret_is_never_kept(api: Calls, alice: User) -> None:
    answer = api(alice).post(
        "/api/v1/tokens",
        {"name": "CI", "expires_at": NOON + timedelta(days=2)},
        headers={"Idempotency-Key": "k-1"},
    )

    assert answer.status_code == 201
    assert not IdempotencyKey.objects.exists()


@pytest.mark.django_db(transaction=True)
def test_ten_at_once_under_one_key_make_one(
    api: Calls, alice: User, body: dict[str, object], monkeypatch: pytest.MonkeyPatch
) -> None:
    clients = [api(alice) for _ in range(10)]

    told = race([partial(_post, client, body) for client in clients])

    codes = sorted(answer.status_code for answer in told if isinstance(answer, Response))
    assert len(codes) == 10
    assert 201 in codes
    assert set(codes) <= {201, 409}
    assert QuotaRequest.objects.count() == 1
