"""Every refusal of every app as one kind of answer: RFC 9457 `application/problem+json`.

The domain knows facts with codes; here, and nowhere else, they become HTTP.  `code` is
stable and for programs, `detail` is for people.
"""

import math
from http import HTTPStatus
from typing import Any, Final

from django.http import Http404
from drf_standardized_errors.formatter import flatten_errors
from rest_framework import exceptions
from rest_framework.response import Response
from rest_framework.views import set_rollback

from billing import errors as billing
from billing.errors import BillingError
from portal.access import errors as access
from portal.api import errors as api
from portal.quotas import errors as quotas
from portal.requests import errors as requests
from portal.tenants import errors as tenants
from portal.tenants.errors import PortalError
from provisioning import errors as provisioning
from provisioning.errors import ProvisioningError

CONTENT_TYPE: Final = "application/problem+json"

# Found by the class or its nearest base.  409: the state of things forbids it; 422: what
# was said can never be; both leave everything as it was.
STATUS: Final[dict[type[Exception], HTTPStatus]] = {
    PortalError: HTTPStatus.UNPROCESSABLE_ENTITY,
    access.TooManyStreams: HTTPStatus.TOO_MANY_REQUESTS,
    tenants.NotFound: HTTPStatus.NOT_FOUND,
    tenants.Forbidden: HTTPStatus.FORBIDDEN,
    tenants.SlugTaken: HTTPStatus.CONFLICT,
    tenants.AlreadyMember: HTTPStatus.CONFLICT,
    tenants.LastOwner: HTTPStatus.CONFLICT,
    quotas.QuotaExceeded: HTTPStatus.CONFLICT,
    quotas.QuotaInUse: HTTPStatus.CONFLICT,
    requests.RequestAlreadyDecided: HTTPStatus.CONFLICT,
    requests.ConflictOfInterest: HTTPStatus.FORBIDDEN,
    api.CallStillRunning: HTTPStatus.CONFLICT,
    ProvisioningError: HTTPStatus.UNPROCESSABLE_ENTITY,
    provisioning.IllegalTransition: HTTPStatus.CONFLICT,
    provisioning.NoCapacity: HTTPStatus.CONFLICT,
    provisioning.AlreadyClosed: HTTPStatus.CONFLICT,
    provisioning.NothingToRelease: HTTPStatus.CONFLICT,
    provisioning.LaunchHasEnded: HTTPStatus.CONFLICT,
    requests.VolumeLimitExceeded: HTTPStatus.CONFLICT,
    provisioning.VolumeInUse: HTTPStatus.CONFLICT,
    provisioning.VolumeNameTaken: HTTPStatus.CONFLICT,
    provisioning.VolumeCannotGrow: HTTPStatus.CONFLICT,
    provisioning.NoStorage: HTTPStatus.CONFLICT,
    provisioning.NoLogsYet: HTTPStatus.CONFLICT,
    provisioning.NotRunning: HTTPStatus.CONFLICT,
    provisioning.PortNotOpen: HTTPStatus.NOT_FOUND,
    provisioning.TooManyPorts: HTTPStatus.CONFLICT,
    provisioning.NoGatewayApi: HTTPStatus.CONFLICT,
    provisioning.RoutesForbidden: HTTPStatus.CONFLICT,
    provisioning.GatewayInUse: HTTPStatus.CONFLICT,
    provisioning.ClusterNameTaken: HTTPStatus.CONFLICT,
    provisioning.ClusterAlreadyAdded: HTTPStatus.CONFLICT,
    provisioning.AnotherCluster: HTTPStatus.CONFLICT,
    provisioning.ClusterInUse: HTTPStatus.CONFLICT,
    provisioning.ClusterAnswers: HTTPStatus.CONFLICT,
    provisioning.IllegalClusterState: HTTPStatus.CONFLICT,
    provisioning.InstanceStaysHere: HTTPStatus.CONFLICT,
    provisioning.ClusterUnreachable: HTTPStatus.SERVICE_UNAVAILABLE,
    provisioning.ClusterRefused: HTTPStatus.BAD_GATEWAY,
    BillingError: HTTPStatus.CONFLICT,
    billing.UnknownSku: HTTPStatus.UNPROCESSABLE_ENTITY,
    billing.InvalidRate: HTTPStatus.UNPROCESSABLE_ENTITY,
}
DomainError = PortalError | ProvisioningError | BillingError


def exception_handler(exc: Exception, context: dict[str, Any]) -> Response | None:
    """Turn a refusal into its problem; what is no refusal stays an error of ours."""
    if isinstance(exc, Http404):
        exc = exceptions.NotFound()
    if isinstance(exc, PortalError | ProvisioningError | BillingError):
        response = domain_problem(exc)
    elif isinstance(exc, exceptions.APIException):
        response = framework_problem(exc)
    else:
        return None
    set_rollback()
    return response


def domain_problem(error: DomainError) -> Response:
    """Answer a fact of the domain."""
    facts: dict[str, Any] = {"retryable": error.retryable}
    if isinstance(error, billing.CloseBlocked):
        facts["exceptions"] = [_close_exception(each) for each in error.exceptions]
    retry_after = getattr(error, "retry_after", None)
    return problem(
        status=status_of(error),
        code=error.code,
        detail=error.message,
        headers={} if retry_after is None else {"Retry-After": str(math.ceil(retry_after))},
        **facts,
    )


def framework_problem(error: exceptions.APIException) -> Response:
    """Answer what REST framework found wrong before the domain was asked."""
    flat = flatten_errors(error.detail)
    if isinstance(error, exceptions.ValidationError):
        errors = [{"field": e.attr, "code": e.code, "detail": e.detail} for e in flat]
        return problem(
            status=HTTPStatus(error.status_code),
            code="invalid",
            detail="; ".join(f"{e['field']}: {e['detail']}" for e in errors),
            errors=errors,
        )
    # REST framework sets these on the errors that have them.
    wait: float | None = getattr(error, "wait", None)
    challenge: str | None = getattr(error, "auth_header", None)
    headers = {} if wait is None else {"Retry-After": str(math.ceil(wait))}
    if challenge:
        headers["WWW-Authenticate"] = challenge
    status = HTTPStatus(error.status_code)
    return problem(
        status=status,
        code=flat[0].code,
        detail=flat[0].detail,
        headers=headers,
        retryable=status is HTTPStatus.TOO_MANY_REQUESTS,
    )


def problem(
    *,
    status: HTTPStatus,
    code: str,
    detail: str,
    headers: dict[str, str] | None = None,
    retryable: bool = False,
    **facts: Any,
) -> Response:
    """Word a problem."""
    body = {
        "type": f"urn:npu-farm:problem:{code}",
        "title": status.phrase,
        "status": status.value,
        "detail": detail,
        "code": code,
        "retryable": retryable,
        **facts,
    }
    return Response(body, status=status, headers=headers, content_type=CONTENT_TYPE)


def status_of(error: DomainError) -> HTTPStatus:
    """Find the answer for the class, or for its nearest base in the table."""
    return next(STATUS[kind] for kind in type(error).__mro__ if kind in STATUS)


def _close_exception(each: Any) -> dict[str, Any]:
    return {"code": each.code, "message": each.message, "ref": each.ref, "seconds": each.seconds}
