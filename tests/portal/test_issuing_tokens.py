"""Keys to the API: shown once, kept as a digest, good for a while."""

from datetime import timedelta

import pytest

from portal.tenants import issuing
from portal.tenants.errors import ExpiryOutOfRange, NameMissing
from portal.tenants.models import ApiToken, Tenant, User
from tests.factories.portal import NOON, TOMORROW

pytestmark = pytest.mark.django_db


@pytest.fixture
def secret(alice: User) -> str:
    return issuing.issue_token(user=alice, name="laptop", expires_at=TOMORROW, at=NOON)[1]


def test_the_secret_opens_and_is_not_kept(alice: User, secret: str) -> None:
    assert issuing.bearer_of(secret=secret, at=NOON) == alice

    kept = " ".join(str(value) for value in ApiToken.objects.values_list().get())
    assert secret.split("_", 2)[2] not in kept


@pytest.mark.parametrize("spoil", [str.upper, lambda s: s[:-1], lambda s: "", lambda s: "npu__"])
def test_a_wrong_secret_opens_nothing(secret: str, spoil: object) -> None:
    assert issuing.bearer_of(secret=spoil(secret), at=NOON) is None  # type: ignore[operator]


def test_the_last_instant_belongs_no_more(secret: str) -> None:
    assert issuing.bearer_of(secret=secret, at=TOMORROW - timedelta(microseconds=1))
    assert issuing.bearer_of(secret=secret, at=TOMORROW) is None


def test_a_revoked_token_opens_nothing(secret: str) -> None:
    issuing.revoke_token(token=ApiToken.objects.get(), at=NOON)

    assert issuing.bearer_of(secret=secret, at=NOON) is None


def test_a_person_who_left_carries_no_key(alice: User, secret: str) -> None:
    User.objects.filter(pk=alice.pk).update(is_active=False)

    assert issuing.bearer_of(secret=secret, at=NOON) is None


def test_a_token_of_one_tenant_confines_its_bearer(alice: User, tenant: Tenant) -> None:
    _, secret = issuing.issue_token(
        user=alice, name="CI", expires_at=TOMORROW, at=NOON, tenant=tenant
    )

    bearer = issuing.bearer_of(secret=secret, at=NOON)

    assert bearer is not None
    assert bearer.confined_to == tenant.pk


def test_use_is_noted_once_a_minute(secret: str) -> None:
    for seconds in (0, 30, 59):
        issuing.bearer_of(secret=secret, at=NOON + timedelta(seconds=seconds))
    assert ApiToken.objects.get().last_used_at == NOON

    issuing.bearer_of(secret=secret, at=NOON + timedelta(seconds=61))
    assert ApiToken.objects.get().last_used_at == NOON + timedelta(seconds=61)


@pytest.mark.parametrize(
    ("name", "life", "refusal"),
    [
        (" ", timedelta(days=1), NameMissing),
        ("laptop", timedelta(0), ExpiryOutOfRange),
        ("laptop", -timedelta(days=1), ExpiryOutOfRange),
        ("laptop", timedelta(days=400), ExpiryOutOfRange),
    ],
)
def test_a_token_needs_a_name_and_an_end(
    alice: User, name: str, life: timedelta, refusal: type[Exception]
) -> None:
    with pytest.raises(refusal):
        issuing.issue_token(user=alice, name=name, expires_at=NOON + life, at=NOON)
    assert not ApiToken.objects.exists()
