"""A visit of a port ends with what it rests on."""

import time
from datetime import timedelta
from http.client import IncompleteRead

import pytest
from django.contrib.sessions.models import Session
from django.utils import timezone

from portal.access import admitting
from portal.tenants.models import Membership
from provisioning import exposing
from provisioning.models import Instance
from provisioning.states import State
from tests.access.conftest import PAGE, Inside
from tests.access.doors import closed, refused


def _end_session(inside: Inside) -> None:
    Session.objects.all().delete()


def _expire_visit(inside: Inside) -> None:
    Session.objects.update(expire_date=timezone.now() - timedelta(seconds=1))


def _leave(inside: Inside) -> None:
    Membership.objects.filter(user=inside.people["grace"]).delete()


def _stop(inside: Inside) -> None:
    Instance.objects.update(desired="stopped", state=State.STOPPING)


def _close(inside: Inside) -> None:
    exposing.close_port(instance=inside.instance, port=PAGE, by="a", at=timezone.now())


ENDS = {
    _end_session: (401, "signed_out"),
    _expire_visit: (401, "signed_out"),
    _leave: (404, "not_found"),
    _stop: (409, "not_running"),
    _close: (404, "port_not_open"),
}


@pytest.mark.parametrize("end", ENDS, ids=lambda end: end.__name__)
def test_the_visit_ends_within_seconds(inside: Inside, end: object) -> None:
    browser = inside.visitor("grace")
    assert browser.get(inside.place(), "/mirror").status == 200

    with browser.socket(inside.place(), "/ws", origin=f"http://{inside.place()}") as socket:
        end(inside)  # type: ignore[operator]
        code, reason = closed(socket)
    time.sleep(0.25)
    answer = browser.get(inside.place(), "/mirror")

    assert (code, reason) == (4403, ENDS[end][1])  # type: ignore[index]
    assert (answer.status, answer["X-NPU-Farm"]) == ENDS[end]  # type: ignore[index]
    with refused():
        browser.socket(inside.place(), "/ws", origin=f"http://{inside.place()}")


def test_a_stream_is_cut_when_the_visit_ends(inside: Inside) -> None:
    browser = inside.visitor("grace")
    begun = time.monotonic()
    from threading import Timer

    cut = Timer(0.5, _leave, [inside])
    cut.start()
    with pytest.raises((IncompleteRead, ConnectionError)):
        browser.get(inside.place(), "/ticks?n=100")
    assert time.monotonic() - begun < 8


def test_a_kept_yes_is_forgotten_within_seconds(inside: Inside) -> None:
    inside.visitor()
    assert admitting._kept
    admitting.forget_all()
    assert not admitting._kept
