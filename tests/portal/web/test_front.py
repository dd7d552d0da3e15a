"""Before there is a tenant: landing, sign-up, language and theme."""

import pytest
from django.test import Client

from portal.tenants.models import Tenant, User
from tests.factories.portal import Catalog
from tests.portal.web.conftest import Visits

pytestmark = pytest.mark.django_db
NEWCOMER = {
    "email": "hana@example.com",
    "password1": "violet-harbor-77",
    "password2": "violet-harbor-77",
}


def test_the_front_page_shows_a_bill_at_todays_list_price(catalog: Catalog, visit: Visits) -> None:
    page = visit().get("/").content.decode()

    # 12,300 s × 4 devices × ₩3,600 an hour, rounded once; 10 % of it rounded down.
    assert "12,300" in page
    assert "₩49,200" in page
    assert "₩4,920" in page
    assert "₩54,120" in page


def test_the_front_page_stands_without_any_catalogue(db: None, visit: Visits) -> None:
    assert visit().get("/").status_code == 200


def test_who_signs_up_opens_a_tenant_and_lands_in_it(visit: Visits) -> None:
    browser = visit()

    signed_up = browser.post("/accounts/signup/", NEWCOMER, follow=True)
    assert signed_up.redirect_chain[-1][0] == "/start/"
    opened = browser.post("/start/", {"name": "Sea Light"}, follow=True)

    tenant = Tenant.objects.get()
    assert opened.redirect_chain[-1][0] == f"/t/{tenant.slug}/"
    assert "Start with quota" in opened.content.decode()
    assert tenant.projects.get().name == "First project"
    assert tenant.memberships.get().user.email == "hana@example.com"


def test_a_tenant_without_a_name_is_not_opened(alice: User, visit: Visits) -> None:
    answer = visit(alice).post("/start/", {"name": "   "})

    assert answer.status_code == 422
    assert not Tenant.objects.exists()


def test_a_wrong_password_is_told_in_the_readers_language(alice: User, visit: Visits) -> None:
    words = {"login": alice.email, "password": "wrong"}

    assert "로그인" in visit(language="ko").post("/accounts/login/", words).content.decode()
    assert "Sign in" in visit().post("/accounts/login/", words).content.decode()


def test_the_language_chosen_stays_in_the_browser_and_with_the_person(alice: User) -> None:
    browser = Client()
    browser.force_login(alice)
    answer = browser.post("/preferences/", {"language": "ko", "next": "/start/"})

    assert answer["Location"] == "/start/"
    assert 'lang="ko"' in browser.get("/start/").content.decode()
    elsewhere = Client()
    elsewhere.force_login(User.objects.get())
    assert 'lang="ko"' in elsewhere.get("/start/").content.decode()


def test_the_theme_chosen_is_rendered_by_the_server(visit: Visits) -> None:
    browser = visit()
    browser.post("/preferences/", {"theme": "ink", "next": "/"})
    assert 'data-theme="ink"' in browser.get("/").content.decode()

    browser.post("/preferences/", {"theme": "", "next": "/"})
    assert "data-theme" not in browser.get("/").content.decode()


@pytest.mark.parametrize(
    "elsewhere", ["https://elsewhere.example/", "//elsewhere.example", "javascript:1"]
)
def test_preferences_lead_nowhere_else(elsewhere: str, visit: Visits) -> None:
    answer = visit().post("/preferences/", {"theme": "ink", "next": elsewhere})

    assert answer["Location"] == "/"


def test_an_invented_theme_or_language_is_not_kept(visit: Visits) -> None:
    browser = visit()
    answer = browser.post("/preferences/", {"theme": '"><script>', "language": "xx", "next": "/"})

    assert not answer.cookies
