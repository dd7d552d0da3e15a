"""What an instance prints, as it prints it, for those who may read it and as long as they may."""

import http.client
import json
from collections.abc import Callable
from datetime import timedelta

import pytest
from django.utils import timezone

from portal.access.models import LogStream
from portal.tenants import issuing
from portal.tenants.models import Membership
from provisioning.models import Cluster
from tests.access.conftest import Inside, run_for_real
from tests.access.doors import Browser, until
from tests.sandbox.processes import Process

COUNTS = ("sh", "-c", "i=0; while true; do echo line-$i; i=$((i+1)); sleep 0.1; done")
SAYS_THREE = ("sh", "-c", "for i in 1 2 3; do echo line-$i; done; sleep 1")


def follow(
    inside: Inside, browser: Browser, target: str, **headers: str
) -> http.client.HTTPResponse:
    connection = http.client.HTTPConnection("127.0.0.1", inside.web.port, timeout=15)
    cookies = browser.jars.get(inside.host, {})
    pairs = "; ".join(f"{name}={value}" for name, value in cookies.items())
    connection.request("GET", target, headers={"Host": inside.host, "Cookie": pairs, **headers})
    return connection.getresponse()


def end_of(answer: http.client.HTTPResponse) -> str:
    """Read on until the stream says why it ends."""
    for line in answer:
        if line.startswith(b"event: end"):
            return str(json.loads(next(answer).removeprefix(b"data: "))["code"])
    raise AssertionError("it ended without a word")


def lines_of(answer: http.client.HTTPResponse, count: int) -> list[str]:
    found: list[str] = []
    while len(found) < count:
        line = answer.readline()
        assert line, found
        if line.startswith(b"data: "):
            found.append(line.removeprefix(b"data: ").decode().rstrip())
    return found


@pytest.fixture
def page(inside: Inside, sandbox: Process) -> str:
    run_for_real(
        sandbox, inside.instance, Cluster.objects.get(), "registry.local/npu-shell:1", COUNTS
    )
    return f"/t/{inside.tenant.slug}/instances/{inside.instance.pk}/logs/follow/"


def test_lines_come_as_they_are_written(inside: Inside, page: str) -> None:
    answer = follow(inside, inside.browser("grace"), page)
    assert answer.status == 200
    assert answer.headers["Content-Type"].startswith("text/event-stream")
    lines = lines_of(answer, 12)
    numbers = [int(line.removeprefix("line-")) for line in lines]
    assert numbers == list(range(numbers[0], numbers[0] + 12))


def test_a_reader_who_may_no_longer_is_cut_off(inside: Inside, page: str) -> None:
    answer = follow(inside, inside.browser("grace"), page)
    lines_of(answer, 1)
    Membership.objects.filter(user=inside.people["grace"]).delete()
    assert end_of(answer) == "not_found"


@pytest.mark.parametrize(("who", "status"), [("charlie", 404), ("victor", 403), ("erin", 403)])
def test_who_may_not_reads_nothing(inside: Inside, page: str, who: str, status: int) -> None:
    assert follow(inside, inside.browser(who), page).status == status


def test_a_program_follows_with_its_token(inside: Inside, page: str) -> None:
    now = timezone.now()
    _, secret = issuing.issue_token(
        user=inside.people["grace"], name="cli", expires_at=now + timedelta(hours=1), at=now
    )
    target = f"/api/v1/instances/{inside.instance.pk}/logs/follow?tail=3"
    answer = follow(inside, inside.browser(), target, Authorization=f"Bearer {secret}")
    assert answer.status == 200
    assert len(lines_of(answer, 5)) == 5


def test_a_log_ends_with_its_container(inside: Inside, sandbox: Process) -> None:
    run_for_real(
        sandbox, inside.instance, Cluster.objects.get(), "registry.local/npu-shell:1",
        SAYS_THREE,
    )  # fmt: skip
    page = f"/t/{inside.tenant.slug}/instances/{inside.instance.pk}/logs/follow/"
    answer = follow(inside, inside.browser("alice"), page)
    assert lines_of(answer, 3) == ["line-1", "line-2", "line-3"]
    assert end_of(answer) == "ended"


def test_the_log_of_an_attempt_that_is_gone_is_said_to_be(inside: Inside, page: str) -> None:
    answer = follow(inside, inside.browser("alice"), f"{page}?attempt=9")
    assert end_of(answer) == "no_logs_yet"


def test_an_earlier_attempt_is_read_while_its_pod_is_there(inside: Inside, page: str) -> None:
    # The first attempt serves a page and the second counts.
    first = follow(inside, inside.browser("alice"), f"{page}?attempt=1")
    second = follow(inside, inside.browser("alice"), f"{page}?attempt=2")
    assert first.status == 200
    assert lines_of(second, 1)[0].startswith("line-")


def test_so_many_are_followed_at_once_and_no_more(
    inside: Inside, page: str, settle: Callable[..., None]
) -> None:
    settle(LOG_STREAMS_PER_PERSON=2, LOG_STREAMS_PER_INSTANCE=3)
    grace, alice = inside.browser("grace"), inside.browser("alice")
    first, second = follow(inside, grace, page), follow(inside, grace, page)
    lines_of(first, 1)
    refused = follow(inside, grace, page)
    assert refused.status == 429
    assert "Too many logs" in refused.read().decode()
    third = follow(inside, alice, page)
    lines_of(third, 1)
    # The instance has no room for a fourth, whoever comes.
    assert follow(inside, alice, page).status == 429
    second.close()
    until(lambda: follow(inside, grace, page).status == 200)


def test_a_program_is_told_why_it_may_not_follow_more(inside: Inside, page: str) -> None:
    now = timezone.now()
    grace = inside.people["grace"]
    _, secret = issuing.issue_token(
        user=grace, name="cli", expires_at=now + timedelta(hours=1), at=now
    )
    # Of other web processes, one of which has died.
    for seen_at, count in ((now, 20), (now - timedelta(minutes=3), 20)):
        LogStream.objects.bulk_create(
            LogStream(user=grace, instance=inside.instance, seen_at=seen_at) for _ in range(count)
        )
    target = f"/api/v1/instances/{inside.instance.pk}/logs/follow"
    answer = follow(inside, inside.browser(), target, Authorization=f"Bearer {secret}")
    assert (answer.status, json.loads(answer.read())["code"]) == (429, "too_many_streams")
    LogStream.objects.filter(seen_at=now).first().delete()  # type: ignore[union-attr]
    answer = follow(inside, inside.browser(), target, Authorization=f"Bearer {secret}")
    assert answer.status == 200
    lines_of(answer, 1)
