"""Bad input gets a clear answer and changes nothing."""

from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from django.db.models import Model

from billing.models import Rate
from portal.quotas.models import QuotaEntry
from portal.requests.models import InstanceRequest, QuotaRequest
from portal.tenants.models import Membership, Project, Tenant, User
from provisioning.models import Cluster, Instance
from tests.factories.portal import NOON, TOMORROW, Catalog
from tests.portal.conftest import Calls

pytestmark = pytest.mark.django_db
WRITTEN: tuple[type[Model], ...] = (
    Cluster,
    Instance,
    InstanceRequest,
    Membership,
    Project,
    QuotaEntry,
    QuotaRequest,
    Rate,
    Tenant,
)
KUBECONFIG = """
apiVersion: v1
kind: Config
current-context: farm
contexts: [{name: farm, context: {cluster: farm, user: farm}}]
clusters: [{name: farm, cluster: {server: "https://127.0.0.1:6443"}}]
users: [{name: farm, user: %s}]
"""


def _state() -> list[object]:
    return [list(model._default_manager.order_by("pk").values()) for model in WRITTEN]


@pytest.fixture
def refused(
    api: Calls, granted: Project, catalog: Catalog
) -> Callable[..., tuple[int, str, dict[str, Any]]]:
    """Post something as somebody, and hold that nothing was written."""

    def post(who: User, address: str, body: object) -> tuple[int, str, dict[str, Any]]:
        client = api(who)
        before = _state()
        answer = client.post(f"/api/v1/{address}", body)
        assert _state() == before
        assert answer["Content-Type"] == "application/problem+json"
        problem = answer.json()
        return answer.status_code, problem["code"], problem

    return post


INSTANCE_REQUESTS: list[tuple[dict[str, object], int, str]] = [
    ({"instance_type": "abacus"}, 422, "unknown_instance_type"),
    ({"instance_type": "rngd-0"}, 422, "retired_instance_type"),
    ({"instance_type": ""}, 400, "invalid"),
    ({"instance_type": None}, 400, "invalid"),
    ({"image": "windows"}, 422, "unknown_image"),
    ({"image": "rngd-old"}, 422, "unknown_image"),
    ({"count": 0}, 422, "count_out_of_range"),
    ({"count": -1}, 422, "count_out_of_range"),
    ({"count": 101}, 422, "count_out_of_range"),
    ({"count": 10**30}, 422, "count_out_of_range"),
    ({"count": "many"}, 400, "invalid"),
    ({"count": 1.5}, 400, "invalid"),
    ({"count": 11}, 409, "quota_exceeded"),
    ({"instance_type": "rngd-4", "count": 3}, 409, "quota_exceeded"),
    ({"ends_at": NOON}, 422, "lease_in_past"),
    ({"ends_at": NOON - timedelta(days=1)}, 422, "lease_in_past"),
    ({"ends_at": "soon"}, 400, "invalid"),
    ({"ends_at": "9999-12-31T23:59:59-12:00"}, 400, "invalid"),
    ({"ends_at": "0001-01-01T00:00:00+12:00"}, 400, "invalid"),
    ({"name": "x" * 64}, 400, "invalid"),
    ({"name": "a\x00b"}, 400, "invalid"),
    ({"project": 10**30}, 404, "not_found"),
    ({"project": -1}, 404, "not_found"),
    ({"project": "first"}, 400, "invalid"),
]


@pytest.mark.parametrize(("change", "status", "code"), INSTANCE_REQUESTS)
def test_a_bad_instance_request(
    refused: Any, alice: User, granted: Project, change: dict[str, object], status: int, code: str
) -> None:
    body = {
        "project": granted.pk,
        "instance_type": "rngd-1",
        "image": "rngd-workspace",
        "count": 1,
        "ends_at": TOMORROW,
    }

    assert refused(alice, "instance-requests", {**body, **change})[:2] == (status, code)


QUOTA_REQUESTS: list[tuple[dict[str, object], int, str]] = [
    ({"devices": 0}, 422, "devices_out_of_range"),
    ({"devices": -5}, 422, "devices_out_of_range"),
    ({"devices": 10**6}, 422, "devices_out_of_range"),
    ({"devices": 10**40}, 422, "devices_out_of_range"),
    ({"devices": None}, 400, "invalid"),
    ({"family": "abacus"}, 404, "not_found"),
    ({"justification": "   "}, 400, "invalid"),
]


@pytest.mark.parametrize(("change", "status", "code"), QUOTA_REQUESTS)
def test_a_bad_quota_request(
    refused: Any, alice: User, granted: Project, change: dict[str, object], status: int, code: str
) -> None:
    body = {"project": granted.pk, "family": "rngd", "devices": 2, "justification": "Cameras"}

    assert refused(alice, "quota-requests", {**body, **change})[:2] == (status, code)


@pytest.mark.parametrize("address", ["instance-requests", "quota-requests"])
def test_another_tenants_project_is_not_there(
    refused: Any, charlie: User, other_project: Project, granted: Project, address: str
) -> None:
    body = {
        "project": granted.pk,
        "instance_type": "rngd-1",
        "image": "rngd-workspace",
        "family": "rngd",
        "devices": 2,
        "justification": "Cameras",
    }

    assert refused(charlie, address, body)[:2] == (404, "not_found")


@pytest.mark.parametrize(
    ("body", "field"),
    [({}, "project"), ([], None), ("text", None), (7, None), (None, "project")],
)
def test_a_body_that_is_no_body(refused: Any, alice: User, body: object, field: str | None) -> None:
    status, code, problem = refused(alice, "instance-requests", body)

    assert (status, code) == (400, "invalid")
    assert field in {each["field"] for each in problem["errors"]} | {None}


def test_text_that_is_not_json(api: Calls, alice: User) -> None:
    client = api(alice)
    torn = client.generic(
        "POST", "/api/v1/tenants", b'{"name": "Har', content_type="application/json"
    )
    assert (torn.status_code, torn.json()["code"]) == (400, "parse_error")
    form = client.post("/api/v1/tenants", {"name": "Harbor"}, format="multipart")
    assert (form.status_code, form.json()["code"]) == (415, "unsupported_media_type")
    assert client.put("/api/v1/tenants", {}).status_code == 405
    assert not Tenant.objects.exists()


RATES: list[tuple[dict[str, object], int, str]] = [
    ({}, 409, "rate_overlap"),
    ({"valid_from": NOON - timedelta(days=9)}, 409, "rate_in_force"),
    ({"hourly_rate": "-1"}, 400, "invalid"),
    ({"hourly_rate": "1.23456"}, 400, "invalid"),
    ({"hourly_rate": "1e20"}, 400, "invalid"),
    ({"hourly_rate": "NaN"}, 400, "invalid"),
    ({"valid_until": TOMORROW}, 422, "invalid_rate"),
    ({"sku": "abacus"}, 404, "not_found"),
    ({"price_book": 0}, 404, "not_found"),
]


@pytest.mark.parametrize(("change", "status", "code"), RATES)
def test_a_bad_rate(
    refused: Any, api: Calls, dana: User, change: dict[str, object], status: int, code: str
) -> None:
    rate = Rate.objects.select_related("sku").get()
    body = {
        "price_book": rate.book_id,
        "sku": rate.sku.code,
        "hourly_rate": "1000",
        "valid_from": TOMORROW,
    }

    assert refused(dana, "rates", {**body, **change})[:2] == (status, code)


KUBECONFIGS: list[tuple[str, str, int, str]] = [
    ("seoul", "{", 422, "kubeconfig_refused"),
    ("seoul", "just words", 422, "kubeconfig_refused"),
    ("seoul", "", 400, "invalid"),
    ("seoul", KUBECONFIG % "{exec: {command: sh}}", 422, "kubeconfig_refused"),
    ("seoul", KUBECONFIG % "{tokenFile: /etc/passwd}", 422, "kubeconfig_refused"),
    ("not a name", KUBECONFIG % "{token: t}", 422, "illegal_spec"),
    ("x" * 41, KUBECONFIG % "{token: t}", 400, "invalid"),
]


@pytest.mark.parametrize(("name", "kubeconfig", "status", "code"), KUBECONFIGS)
def test_a_bad_kubeconfig(
    refused: Any, erin: User, name: str, kubeconfig: str, status: int, code: str
) -> None:
    body = {"name": name, "kubeconfig": kubeconfig}

    assert refused(erin, "clusters", body)[:2] == (status, code)
