"""People with browsers: they sign in, look, and leave screenshots behind.

Every page they check is examined with axe, and anything the browser complains about on
its console fails the journey: a hole in the content security policy is such a complaint.
"""

import os
import re
from dataclasses import dataclass, field, replace
from pathlib import Path

from playwright.sync_api import Browser, ConsoleMessage, Locator, Page, expect

from portal.web import building
from tests.running import RunningFarm

CHECKOUT = Path(__file__).resolve().parent.parent.parent
SCREENSHOTS = Path(os.environ.get("SCREENSHOTS_DIR", CHECKOUT / ".farm" / "screenshots"))
AXE = building.PACKAGES_DIR / "axe-core" / "axe.min.js"
STATE_TIMEOUT_MS = 90_000
# Everything is there, nothing is asked for, nothing moves (but what moves for ever).
AT_REST = """() => document.readyState === "complete"
    && document.fonts.status === "loaded"
    && !document.querySelector(".htmx-request")
    && document.getAnimations().every(one => one.playState !== "running"
        || one.effect.getComputedTiming().endTime === Infinity)"""


_examined: set[tuple[str, str, int]] = set()


@dataclass(frozen=True)
class Look:
    """How somebody looks at the portal."""

    language: str
    theme: str
    width: int

    def __str__(self) -> str:
        return f"{self.language}-{self.theme}-{self.width}"


@dataclass
class Person:
    """Somebody at a browser of their own."""

    name: str
    farm: RunningFarm
    page: Page
    look: Look
    complaints: list[str] = field(default_factory=list)

    def go(self, path: str) -> None:
        """Open a page; it has to answer."""
        answer = self.page.goto(self.farm.address + path)
        assert answer is not None
        assert answer.status == 200, f"{path}: {answer.status}"

    def sign_in(self, *, email: str, password: str) -> None:
        """Sign in through the form."""
        self.go("/accounts/login/")
        self.page.fill("[name=login]", email)
        self.page.fill("[name=password]", password)
        self.submit(self.page.locator("main form"))

    def submit(self, form: Locator) -> None:
        """Press the form's own button and wait for the next page."""
        with self.page.expect_navigation():
            form.locator("button:not([type=button])").last.click()

    def confirm(self, sheet: str) -> None:
        """Press a button that asks first, and say yes."""
        self.page.locator(f"button[popovertarget={sheet}]").first.click()
        self.submit(self.page.locator(f"#{sheet} form"))

    def check(self, name: str) -> None:
        """Look at the page: a screenshot, axe, sideways scrolling, the console."""
        self.page.wait_for_function(AT_REST)
        SCREENSHOTS.mkdir(parents=True, exist_ok=True)
        file = SCREENSHOTS / f"{name}.{self.look}.png"
        # Hiding the caret would leave style attributes behind, which the policy then complains of.
        self.page.screenshot(path=file, full_page=True, caret="initial")
        violations = self._violations(name)
        assert not violations, f"{name}: {violations}"
        overhang = self.page.evaluate("document.documentElement.scrollWidth - innerWidth")
        assert overhang <= 0, f"{name} scrolls sideways by {overhang} px"
        assert not self.complaints, f"{name}: {self.complaints}"

    def expect_state(self, state: str) -> None:
        """Wait until the page says so by itself."""
        badge = self.page.locator("h1 [data-state]").first
        expect(badge).to_have_attribute("data-state", state, timeout=STATE_TIMEOUT_MS)

    def wear(self, look: Look) -> None:
        """Look at the portal in another way from now on."""
        self.look = look
        self.page.context.add_cookies(cookies_of(look, self.farm))
        self.page.set_viewport_size({"width": look.width, "height": 900})

    def _violations(self, name: str) -> list[str]:
        # In both languages a page has the same parts and colours.
        looked_at = (name, self.look.theme, self.look.width)
        if looked_at in _examined:
            return []
        _examined.add(looked_at)
        self.page.evaluate(AXE.read_text())
        found = self.page.evaluate("axe.run()")["violations"]
        return [f"{one['id']}: {[node['html'] for node in one['nodes']]}" for one in found]


def person(name: str, browser: Browser, farm: RunningFarm, look: Look) -> Person:
    """Somebody new, with an empty browser."""
    context = browser.new_context(
        viewport={"width": look.width, "height": 900},
        locale="ko-KR" if look.language == "ko" else "en-GB",
        timezone_id="Asia/Seoul",
        accept_downloads=True,
    )
    context.add_cookies(cookies_of(look, farm))
    page = context.new_page()
    somebody = Person(name=name, farm=farm, page=page, look=look)
    page.on("console", lambda message: _note(somebody, message))
    page.on("pageerror", lambda error: somebody.complaints.append(str(error)))
    return somebody


def staff(part: str, browser: Browser, farm: RunningFarm, look: Look) -> Person:
    """One of the people who were there before, signed in."""
    somebody = person(part, browser, farm, replace(look))
    somebody.sign_in(**farm.logins[part])
    return somebody


def cookies_of(look: Look, farm: RunningFarm) -> list[dict[str, str]]:
    """The two choices a browser keeps."""
    return [
        {"name": "django_language", "value": look.language, "url": farm.address},
        {"name": "theme", "value": look.theme, "url": farm.address},
    ]


def digits(text: str) -> int:
    """₩1,234 is 1234"""
    return int(re.sub(r"\D", "", text))


def _note(somebody: Person, message: ConsoleMessage) -> None:
    if message.type in ("error", "warning"):
        somebody.complaints.append(message.text)
