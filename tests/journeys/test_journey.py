"""The whole way in a browser: sign up, quota, approval, instance, usage, invoice, download."""

import csv
import io
from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser, expect

from tests.journeys.browsing import Look, Person, digits, person, staff
from tests.running import RunningFarm

pytestmark = [pytest.mark.browser, pytest.mark.processes, pytest.mark.timeout(540)]
LOOKS = [
    (Look("ko", "paper", 1366), Look("ko", "ink", 390)),
    (Look("en", "ink", 390), Look("en", "paper", 1366)),
]


@pytest.mark.parametrize(("look", "other"), LOOKS, ids=str)
def test_from_sign_up_to_a_paid_for_second(
    farm: RunningFarm, browser: Browser, look: Look, other: Look, tmp_path: Path
) -> None:
    tenant = f"Garam Robotics {look.language}"
    hana = person("hana", browser, farm, look)
    bob = staff("approver", browser, farm, look)
    dana = staff("finance", browser, farm, look)

    home = sign_up(hana, tenant=tenant)
    ask_for_quota(hana, home, devices=4)
    grant_fewer(bob, tenant=tenant, devices=2)
    instance = launch(hana, home)
    watch_it_run_and_stop(hana)
    see_usage(hana, home)
    account = issue_the_bill(dana, tenant=tenant)
    invoice = download_the_bill(hana, home, into=tmp_path)

    hana.wear(other)
    for name, path in pages_of_a_tenant(home, instance, invoice):
        hana.go(path)
        hana.check(name)
    for somebody, paths in ((bob, ["approvals", "clusters"]), (dana, ["billing", "prices"])):
        somebody.wear(other)
        for path in paths:
            somebody.go(f"/staff/{path}/")
            somebody.check(path)
    dana.go(account)
    dana.check("billing-account")


def sign_up(hana: Person, *, tenant: str) -> str:
    """A person makes an account and opens a tenant; returns the tenant's address."""
    page = hana.page
    hana.go("/")
    hana.check("landing")
    with page.expect_navigation():
        page.locator("a[href='/accounts/signup/']").first.click()
    hana.check("sign-up")
    page.fill("[name=email]", f"hana-{hana.look}@garam-robotics.example")
    page.fill("[name=password1]", "violet-harbor-77")
    page.fill("[name=password2]", "violet-harbor-77")
    hana.submit(page.locator("main form"))
    page.wait_for_url("**/start/")
    hana.check("start")
    page.fill("[name=name]", tenant)
    hana.submit(page.locator("main form"))
    hana.check("dashboard-empty")
    return page.url.removeprefix(hana.farm.address)


def ask_for_quota(hana: Person, home: str, *, devices: int) -> None:
    """Ask for devices of the first family."""
    page = hana.page
    with page.expect_navigation():
        page.locator(f"a[href='{home}quota/new/']").first.click()
    page.select_option("[name=family]", index=1)
    page.fill("[name=devices]", str(devices))
    page.fill("[name=justification]", "Object detection on 40 cameras, December to March.")
    hana.check("quota-new")
    hana.submit(page.locator("main form"))
    expect(page.locator("[data-state=submitted]")).to_be_visible()
    hana.check("quota-asked")


def grant_fewer(bob: Person, *, tenant: str, devices: int) -> None:
    """Look at the case and grant fewer devices than asked."""
    page = bob.page
    bob.go("/staff/approvals/")
    bob.check("approvals-waiting")
    with page.expect_navigation():
        page.locator("tr", has_text=tenant).get_by_role("link").click()
    bob.check("approval")
    page.fill("[name=devices]", str(devices))
    page.fill("[name=reason] >> nth=0", "Two to begin with.")
    bob.submit(page.locator("main form[method=post]:has([name=devices])"))
    expect(page.locator("tr", has_text=tenant).locator("[data-state=approved]")).to_be_visible()


def launch(hana: Person, home: str) -> str:
    """Start one instance and come to its page; returns its address."""
    page = hana.page
    hana.go(f"{home}instances/new/")
    before = page.locator("#outlook").inner_text()
    page.fill("[name=count]", "2")
    expect(page.locator("#outlook")).not_to_have_text(before)
    hana.check("instances-new")
    page.fill("[name=count]", "1")
    page.fill("[name=name]", "detector")
    hana.submit(page.locator("main form:has([name=instance_type])"))
    expect(page.locator("h1")).to_contain_text("detector")
    return page.url.removeprefix(hana.farm.address)


def watch_it_run_and_stop(hana: Person) -> None:
    """Nobody reloads the page: it says itself when the container runs, meters and stops."""
    page = hana.page
    hana.expect_state("running")
    seconds = page.locator(".equation .operand b").first
    expect(seconds).to_be_visible(timeout=30_000)
    expect(page.locator("#logs")).to_be_visible(timeout=30_000)
    hana.check("instance-running")
    hana.confirm("stop")
    hana.expect_state("stopped")
    assert digits(seconds.inner_text()) > 0
    hana.check("instance-stopped")


def see_usage(hana: Person, home: str) -> None:
    """The run is in the table and in the chart."""
    hana.go(f"{home}usage/")
    expect(hana.page.locator("[data-chart] canvas")).to_be_visible()
    expect(hana.page.get_by_role("link", name="detector")).to_be_visible()
    hana.check("usage")


def issue_the_bill(dana: Person, *, tenant: str) -> str:
    """Cut the period, draft its invoice, issue it; returns the account's address."""
    page = dana.page
    dana.go("/staff/billing/")
    with page.expect_navigation():
        page.get_by_role("link", name=tenant).click()
    account = page.url.removeprefix(dana.farm.address)
    dana.confirm("cut")
    dana.check("billing-cut")
    dana.submit(page.locator("form[action$='/draft/']").first)
    expect(page.locator("[data-state=draft]")).to_be_visible()
    dana.check("billing-draft")
    dana.confirm(page.locator("[popovertarget^=issue]").first.get_attribute("popovertarget") or "")
    expect(page.locator("[data-state=issued]")).to_be_visible()
    return account


def download_the_bill(hana: Person, home: str, *, into: Path) -> str:
    """Open the invoice and take it home in both formats and languages; returns its address."""
    page = hana.page
    hana.go(f"{home}invoices/")
    hana.check("invoices")
    with page.expect_navigation():
        page.locator("main tbody a").first.click()
    hana.check("invoice")
    total = digits(page.locator("tfoot tr").last.locator("td").first.inner_text())
    assert total > 0
    for form, language, file in _downloads(hana, into):
        content = file.read_bytes()
        if form == "pdf":
            assert content.startswith(b"%PDF-"), language
        else:
            cells = {c for row in csv.reader(io.StringIO(content.decode("utf-8-sig"))) for c in row}
            assert str(total) in cells, language
    return page.url.removeprefix(hana.farm.address)


def _downloads(hana: Person, into: Path) -> Iterator[tuple[str, str, Path]]:
    for form in ("pdf", "csv"):
        for language in ("ko", "en"):
            with hana.page.expect_download() as download:
                hana.page.locator(f"a[href$='/{form}/?language={language}']").click()
            file = into / download.value.suggested_filename
            download.value.save_as(file)
            yield form, language, file


def pages_of_a_tenant(home: str, instance: str, invoice: str) -> list[tuple[str, str]]:
    """Every page of a tenant that has something to show."""
    names = ["catalogue", "instances", "instances/new", "quota", "quota/new", "usage", "invoices",
             "projects", "members"]  # fmt: skip
    return [
        ("dashboard", home),
        *((name.replace("/", "-"), f"{home}{name}/") for name in names),
        ("instance", instance),
        ("logs", f"{instance}logs/"),
        ("invoice", invoice),
        ("password", "/accounts/password/change/"),
        ("e-mail", "/accounts/email/"),
    ]
