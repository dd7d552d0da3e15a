"""Into an instance with a browser: its log as it grows, a terminal, a page it serves itself."""

import pytest
from playwright.sync_api import Browser, Page, expect

from tests.journeys.browsing import SCREENSHOTS, Look, Person, person, staff
from tests.journeys.test_journey import ask_for_quota, grant_fewer, launch, sign_up
from tests.running import RunningFarm

pytestmark = [pytest.mark.browser, pytest.mark.processes, pytest.mark.timeout(540)]
LOOK = Look("en", "paper", 1280)
PATIENCE_MS = 30_000


def test_a_terminal_and_a_page_of_an_instance(farm: RunningFarm, browser: Browser) -> None:
    hana = person("hana", browser, farm, LOOK)
    bob = staff("approver", browser, farm, LOOK)
    home = sign_up(hana, tenant="Nuri Optics")
    ask_for_quota(hana, home, devices=2)
    grant_fewer(bob, tenant="Nuri Optics", devices=2)
    instance = launch(hana, home)
    hana.expect_state("running")

    see_it_inside(hana)
    type_in_its_terminal(hana, instance)
    visit_its_page(hana, instance)
    hana.wear(Look("ko", "ink", 390))
    for name in ("", "terminal/"):
        hana.go(f"{instance}{name}")
        if name:
            expect(hana.page.locator("#terminal-state")).to_have_attribute("data-code", "open")
        hana.check(f"inside-{name.strip('/') or 'instance'}")


def see_it_inside(hana: Person) -> None:
    """The log is followed and the cluster's events are shown, without a reload."""
    expect(hana.page.locator("#logs")).to_contain_text("NPU_FARM_INSTANCE", timeout=PATIENCE_MS)
    expect(hana.page.locator("#access")).to_contain_text("Started", timeout=PATIENCE_MS)
    hana.check("inside-events")


def type_in_its_terminal(hana: Person, instance: str) -> None:
    """A command is typed, and what it prints is read."""
    page = hana.page
    with page.expect_navigation():
        page.locator(f"a[href='{instance}terminal/']").click()
    expect(page.locator("#terminal-state")).to_have_attribute(
        "data-code", "open", timeout=PATIENCE_MS
    )
    page.locator(".xterm-helper-textarea").press_sequentially("env\n")
    expect(page.locator(".xterm-rows")).to_contain_text("NPU_FARM_INSTANCE=", timeout=PATIENCE_MS)
    hana.check("terminal")
    page.locator(".xterm-helper-textarea").press_sequentially("exit\n")
    expect(page.locator("#terminal-state")).to_have_attribute(
        "data-code", "ended", timeout=PATIENCE_MS
    )
    hana.check("terminal-ended")


def visit_its_page(hana: Person, instance: str) -> None:
    """A port is opened; its page comes from a host of its own, with a WebSocket that answers."""
    page = hana.page
    hana.go(instance)
    page.locator("#port").fill("8080")
    hana.submit(page.locator("form[action$='/ports/']"))
    with page.context.expect_page() as opened:
        page.locator("#access a[target=_blank]").click()
    inside = opened.value
    expect(inside.locator("#heard")).to_have_text("hello", timeout=PATIENCE_MS)
    inside.locator("#say").fill("ninety devices")
    expect(inside.locator("#heard")).to_have_text("ninety devices")
    inside.screenshot(path=SCREENSHOTS / f"port.{hana.look}.png")
    assert inside.url.endswith(f".localhost:{hana.farm.address.rsplit(':', 1)[1]}/")
    assert instance.strip("/").split("/")[-1] in inside.url
    sees_nothing_of_the_portal(inside, hana)
    inside.close()


def sees_nothing_of_the_portal(inside: Page, hana: Person) -> None:
    """What a hostile page there would try: cookies, and calls in its viewer's name."""
    assert "session" not in inside.evaluate("document.cookie")
    assert inside.evaluate("document.cookie") == ""
    called = inside.evaluate(
        """async address => {
            try { return (await fetch(address, {credentials: "include"})).status }
            catch (error) { return String(error) }
        }""",
        f"{hana.farm.address}/api/v1/me",
    )
    assert "Failed to fetch" in str(called)
    instance_id = inside.url.removeprefix("http://")[:36]
    socket = inside.evaluate(
        """address => new Promise(done => {
            const socket = new WebSocket(address);
            socket.onopen = () => done("open");
            socket.onclose = () => done("closed");
        })""",
        f"{hana.farm.address.replace('http', 'ws')}/access/{instance_id}/terminal",
    )
    assert socket == "closed"
