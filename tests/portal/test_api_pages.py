"""Pages: nothing twice, nothing missing, however many rows share an instant."""

import base64
import json
from datetime import timedelta

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from rest_framework.test import APIClient

from portal.tenants import onboarding
from portal.tenants.models import Tenant, User
from tests.factories.portal import NOON
from tests.portal.conftest import Calls

pytestmark = pytest.mark.django_db


def _walk(client: APIClient, address: str) -> list[list[dict[str, object]]]:
    pages = []
    while address:
        answer = client.get(address).json()
        pages.append(answer["results"])
        address = answer["next"]
    return pages


@pytest.mark.parametrize("limit", [1, 2, 3, 7, 50])
def test_a_walk_meets_every_row_once_and_newest_first(
    api: Calls, alice: User, tenant: Tenant, limit: int
) -> None:
    for number in range(6):
        # Pairs share their instant.
        at = NOON + timedelta(seconds=number // 2)
        onboarding.open_project(tenant=tenant, name=f"Project {number}", at=at)

    pages = _walk(api(alice), f"/api/v1/projects?limit={limit}")

    rows = [row for page in pages for row in page]
    assert len({row["id"] for row in rows}) == len(rows) == 7
    assert all(len(page) <= limit for page in pages)
    stamps = [(row["created_at"], row["id"]) for row in rows]
    assert stamps == sorted(stamps, reverse=True)


def test_rows_added_during_a_walk_do_not_shift_it(api: Calls, alice: User, tenant: Tenant) -> None:
    client = api(alice)
    for number in range(3):
        onboarding.open_project(tenant=tenant, name=f"Old {number}", at=NOON)
    first = client.get("/api/v1/projects?limit=2").json()

    onboarding.open_project(tenant=tenant, name="New", at=NOON + timedelta(hours=1))
    second = client.get(first["next"]).json()

    names = [row["name"] for row in first["results"] + second["results"]]
    assert names == ["Old 2", "Old 1", "Old 0", "First project"]


def test_the_catalogue_is_read_by_name(api: Calls, alice: User, catalog: object) -> None:
    pages = _walk(api(alice), "/api/v1/instance-types?limit=1")

    assert [page[0]["slug"] for page in pages] == ["rngd-1", "rngd-4"]


@pytest.mark.parametrize("limit", ["0", "-1", "201", "many", "1.5", "9" * 30, "000000001999", ""])
def test_a_senseless_limit_is_refused(api: Calls, alice: User, limit: str) -> None:
    answer = api(alice).get("/api/v1/projects", {"limit": limit})

    assert answer.status_code == 400
    assert answer.json()["errors"][0]["field"] == "limit"


@pytest.mark.parametrize(
    "cursor", ["x", "====", "bnVsbA", "WzFd", "WyJhIiwiYiJd", "WyIyMDI2IixudWxsXQ", "7Q", "\x00"]
)
def test_a_foreign_cursor_is_refused(api: Calls, alice: User, cursor: str) -> None:
    answer = api(alice).get("/api/v1/projects", {"cursor": cursor})

    assert answer.status_code == 400
    assert answer.json()["errors"][0]["field"] == "cursor"


def test_a_cursor_nested_beyond_reading_is_refused(api: Calls, alice: User) -> None:
    cursor = base64.urlsafe_b64encode(b"[" * 20_000).decode()

    assert api(alice).get("/api/v1/projects", {"cursor": cursor}).status_code == 400


def _encoded(place: object) -> str:
    return base64.urlsafe_b64encode(json.dumps(place).encode()).decode().rstrip("=")


PLACES = st.lists(
    st.one_of(
        st.text(max_size=12),
        st.integers(),
        st.datetimes().map(str),
        st.uuids().map(str),
        st.none(),
    ),
    max_size=3,
)


@settings(
    suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None, max_examples=60
)
@given(cursor=st.one_of(st.text(max_size=30), PLACES.map(_encoded)))
def test_no_cursor_breaks_the_api(api: Calls, alice: User, cursor: str) -> None:
    client = api(alice)
    for resource in ("projects", "quota-requests", "instance-types"):
        answer = client.get(f"/api/v1/{resource}", {"cursor": cursor})
        assert answer.status_code in (200, 400), cursor
