"""Every refusal of every app has one HTTP answer and one stable code."""

import re
from collections.abc import Iterator
from http import HTTPStatus

import pytest

from billing.errors import BillingError, CloseBlocked
from portal.api import problems
from portal.quotas.errors import QuotaExceeded
from portal.requests.errors import VolumeLimitExceeded
from portal.tenants.errors import PortalError
from provisioning.cluster import errors as cluster_errors
from provisioning.errors import ClusterUnreachable, ProvisioningError

assert cluster_errors


def _kinds(base: type[Exception]) -> Iterator[type[Exception]]:
    for kind in base.__subclasses__():
        yield kind
        yield from _kinds(kind)


KINDS = [
    kind
    for base in (PortalError, ProvisioningError, BillingError)
    for kind in (base, *_kinds(base))
]


def _example(kind: type[Exception]) -> problems.DomainError:
    if kind in (QuotaExceeded, VolumeLimitExceeded):
        return kind(wanted=2, free=1)  # type: ignore[call-arg, return-value]
    if kind is CloseBlocked:
        return CloseBlocked(exceptions=[])
    return kind()  # type: ignore[return-value]


def test_there_are_refusals_to_look_at() -> None:
    assert len(KINDS) > 50


@pytest.mark.parametrize("kind", KINDS, ids=lambda kind: f"{kind.__module__}.{kind.__name__}")
def test_every_refusal_is_a_problem(kind: type[Exception]) -> None:
    error = _example(kind)

    answer = problems.exception_handler(error, {})

    assert answer is not None
    assert 400 <= answer.status_code < 600
    assert answer.status_code != HTTPStatus.INTERNAL_SERVER_ERROR
    body = answer.data
    assert body["status"] == answer.status_code
    assert re.fullmatch(r"[a-z][a-z_]+", body["code"])
    assert body["type"] == f"urn:npu-farm:problem:{body['code']}"
    assert body["detail"].strip()
    assert body["retryable"] is error.retryable


def test_portal_and_billing_codes_mean_one_thing() -> None:
    codes = [kind.code for kind in KINDS if not kind.__module__.startswith("provisioning")]  # type: ignore[attr-defined]
    assert sorted(codes) == sorted(set(codes))


def test_a_cluster_that_is_away_says_when_to_come_again() -> None:
    answer = problems.exception_handler(ClusterUnreachable(retry_after=1.2), {})

    assert answer is not None
    assert (answer.status_code, answer.headers["Retry-After"]) == (503, "2")


def test_an_error_of_ours_is_not_dressed_up_as_a_refusal() -> None:
    assert problems.exception_handler(KeyError("oops"), {}) is None
