"""Who calls: a token or a session, and nobody else."""

import pytest
from django.test import Client
from rest_framework.test import APIClient

from portal.tenants import issuing
from portal.tenants.models import ApiToken, Tenant, User
from tests.factories.portal import NOON, TOMORROW
from tests.portal.conftest import Calls

pytestmark = pytest.mark.django_db
ME = "/api/v1/me"


def test_nobody_is_told_to_sign_in() -> None:
    answer = APIClient().get(ME)

    assert answer.status_code == 401
    assert answer["Content-Type"] == "application/problem+json"
    assert answer["WWW-Authenticate"].startswith("Bearer")
    assert answer.json()["code"] == "not_authenticated"


@pytest.mark.parametrize("secret", ["npu_0000_nonsense", "nonsense", "npu", "ключ"])
def test_a_wrong_token_opens_nothing(alice: User, secret: str) -> None:
    client = APIClient()
    client.credentials(HTTP_AUTHORIZATION=f"Bearer {secret}")

    answer = client.get(ME)

    assert answer.status_code == 401
    assert answer.json()["code"] == "invalid_token"


def test_a_token_says_who_calls(api: Calls, alice: User, tenant: Tenant) -> None:
    assert api(alice).get(ME).json() == {
        "id": alice.pk,
        "email": "alice@example.com",
        "name": "Alice",
        "language": "en",
        "staff_roles": [],
        "tenants": [
            {"id": tenant.pk, "slug": "harbor-vision", "name": "Harbor Vision", "role": "owner"}
        ],
    }


def test_staff_are_told_what_they_are(api: Calls, bob: User) -> None:
    assert api(bob).get(ME).json()["staff_roles"] == ["approver"]


def test_a_session_needs_its_csrf_token_to_write(noon: None, alice: User) -> None:
    client = Client(enforce_csrf_checks=True)
    client.force_login(alice)
    body = {"data": {"name": "Second"}, "content_type": "application/json"}

    assert client.get(ME).status_code == 200
    refused = client.post("/api/v1/tenants", **body)
    assert refused.status_code == 403
    assert refused.json()["code"] == "permission_denied"
    assert not Tenant.objects.exists()

    client.get("/accounts/login/")
    client.cookies["csrftoken"] = "a" * 32
    allowed = client.post("/api/v1/tenants", **body, headers={"X-CSRFToken": "a" * 32})
    assert allowed.status_code == 201


def test_a_key_to_one_tenant_opens_nothing_beside_it(
    api: Calls, alice: User, tenant: Tenant
) -> None:
    client = api(alice, tenant=tenant)

    assert client.get("/api/v1/tenants").json()["results"][0]["slug"] == tenant.slug
    assert client.get("/api/v1/tokens").status_code == 403
    assert client.post("/api/v1/tokens", {"name": "x", "expires_at": TOMORROW}).status_code == 403
    assert client.post("/api/v1/tenants", {"name": "Second"}).status_code == 403


def test_a_token_is_issued_once_and_revoked(api: Calls, alice: User, tenant: Tenant) -> None:
    client = api(alice)
    issued = client.post(
        "/api/v1/tokens", {"name": "CI", "expires_at": TOMORROW, "tenant": tenant.slug}
    ).json()

    assert issuing.bearer_of(secret=issued["secret"], at=NOON) == alice
    listed = client.get("/api/v1/tokens").json()["results"]
    assert [row["name"] for row in listed] == ["CI", "test"]
    assert "secret" not in listed[0]

    assert client.delete(f"/api/v1/tokens/{issued['id']}").status_code == 204
    assert issuing.bearer_of(secret=issued["secret"], at=NOON) is None
    assert ApiToken.objects.get(pk=issued["id"]).revoked_at == NOON


def test_an_address_the_api_does_not_have_is_a_problem_too(api: Calls, alice: User) -> None:
    for address in ("unicorns/7", "", "projects/7%0A", "instances/%00"):
        answer = api(alice).get(f"/api/v1/{address}")
        assert answer.status_code == 404
        assert answer["Content-Type"] == "application/problem+json"


def test_calls_beyond_the_minutes_share_are_told_when_to_go_on(
    api: Calls, alice: User, bob: User, settings: object
) -> None:
    settings.API_CALLS_PER_MINUTE = 3  # type: ignore[attr-defined]
    client = api(alice)

    codes = [client.get(ME).status_code for _ in range(4)]

    assert codes == [200, 200, 200, 429]
    refused = client.get(ME)
    assert refused.json()["retryable"] is True
    assert 0 < int(refused["Retry-After"]) <= 60
    assert api(bob).get(ME).status_code == 200
