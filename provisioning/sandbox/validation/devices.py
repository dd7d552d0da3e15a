"""Check the kinds of claimed devices: what a request must say, and what stands for ever."""

from collections.abc import Iterator

from provisioning.sandbox.objects import Json, spec
from provisioning.sandbox.validation import causes
from provisioning.sandbox.validation.causes import Cause


def check_change(before: Json, now: Json) -> Iterator[Cause]:
    """Neither a claim nor a template asks for something else later."""
    if spec(before) != spec(now):
        yield causes.invalid("spec", spec(now), "field is immutable")


def check_claim(claim: Json) -> Iterator[Cause]:
    """Every request of a claim names a class."""
    yield from _check_requests(spec(claim), "spec")


def check_template(template: Json) -> Iterator[Cause]:
    """What claims are made of is checked as they are."""
    yield from _check_requests(spec(template).get("spec") or {}, "spec.spec")


def _check_requests(claim_spec: Json, field: str) -> Iterator[Cause]:
    requests = (claim_spec.get("devices") or {}).get("requests") or []
    for position, request in enumerate(requests):
        at = f"{field}.devices.requests[{position}]"
        if "exactly" not in request and "firstAvailable" not in request:
            yield causes.required(at, "exactly one of `exactly` or `firstAvailable` is required")
        elif not (request.get("exactly") or {"deviceClassName": "x"}).get("deviceClassName"):
            yield causes.required(f"{at}.exactly.deviceClassName")
