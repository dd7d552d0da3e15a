"""What a page may carry: no inline script or style, a strict policy, nothing from elsewhere."""

import logging
import re

import pytest
from django.test import Client, RequestFactory
from django.views.defaults import server_error

from portal.tenants.models import Tenant
from tests.portal.web.addresses import PAGES, Address
from tests.portal.web.conftest import Visits
from tests.portal.web.world import World

pytestmark = pytest.mark.django_db
INLINE = re.compile(r"<style|<script(?![^>]* src=)|\sstyle=|\son\w+=", re.IGNORECASE)
ELSEWHERE = re.compile(r"""(?:src|href|action)=["'](?:https?:)?//""")


@pytest.mark.parametrize("address", PAGES, ids=lambda address: address.name)
def test_no_page_needs_a_hole_in_the_policy(address: Address, world: World, visit: Visits) -> None:
    answer = visit(world.people[address.who]).get(address.url(world))

    policy = answer["Content-Security-Policy"]
    assert "default-src 'none'" in policy
    assert "unsafe" not in policy
    if answer["Content-Type"].startswith("text/html"):
        page = answer.content.decode()
        assert not INLINE.findall(page)
        assert not ELSEWHERE.findall(page)


def test_going_back_does_not_show_a_polled_part_alone(world: World, visit: Visits) -> None:
    answer = visit(world.people["alice"]).get(f"/t/{world.tenant.slug}/instances/")

    assert "HX-Request" in answer["Vary"]


def test_after_the_sign_in_nobody_lands_where_only_a_post_goes(world: World, visit: Visits) -> None:
    address = f"/t/{world.tenant.slug}/instances/{world.instance.pk}/stop/"

    assert visit().post(address)["Location"] == "/accounts/login/?next=/"


def test_what_people_type_is_shown_as_text(world: World, visit: Visits) -> None:
    browser = visit(world.people["alice"])
    nasty = '"><script>alert(1)</script>'
    browser.post(f"/t/{world.tenant.slug}/projects/", {"name": nasty})

    page = browser.get(f"/t/{world.tenant.slug}/projects/").content.decode()
    assert "<script>alert" not in page
    assert "&lt;script&gt;alert(1)" in page


def test_pages_that_break_speak_and_have_the_policy(world: World, visit: Visits) -> None:
    answer = visit(world.people["alice"]).get("/no/such/page/")

    assert answer.status_code == 404
    assert "There is nothing here" in answer.content.decode()
    assert "default-src 'none'" in answer["Content-Security-Policy"]


def test_a_page_that_broke_needs_neither_person_nor_database(rf: RequestFactory) -> None:
    answer = server_error(rf.get("/"))

    assert answer.status_code == 500
    assert "<!doctype html>" in answer.content.decode()


def test_a_form_without_its_token_is_told_so(world: World) -> None:
    browser = Client(enforce_csrf_checks=True)
    browser.cookies["django_language"] = "en"
    browser.force_login(world.people["alice"])
    answer = browser.post("/start/", {"name": "Forged"})

    assert answer.status_code == 403
    assert "This form has expired" in answer.content.decode()
    assert not Tenant.objects.filter(name="Forged").exists()


def test_a_part_asked_for_after_the_session_ended_reloads_the_page(
    world: World, visit: Visits
) -> None:
    answer = visit().get(f"/t/{world.tenant.slug}/instances/", headers={"HX-Request": "true"})

    assert answer["HX-Refresh"] == "true"


def test_addresses_are_not_logged_since_they_may_carry_tickets_and_tokens() -> None:
    assert not logging.getLogger("uvicorn.access").isEnabledFor(logging.INFO)
