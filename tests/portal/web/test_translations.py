"""Korean is whole: nothing missing, nothing guessed, nothing stale, placeholders kept."""

import inspect
import re
from pathlib import Path

import pytest
from babel.messages.catalog import Message

import provisioning
from billing import closing
from billing.errors import BillingError
from portal.requests.policies import HoldReason
from portal.tenants.errors import PortalError
from portal.web import reasons, refusals, translating
from provisioning import faults, lingering, marking, orphaned, releasing, settling, watching
from provisioning.errors import ProvisioningError

# Reasons written there stand on usage intervals and volume spans, on no page.
ENDS_OF_RUNS = {"usage.py", "allocating.py", "spans.py"}
PLACEHOLDER = re.compile(r"%\((\w+)\)[\w.]+|\{(\w+)\}")


def test_nothing_is_untranslated_or_guessed_in_korean() -> None:
    entries = [entry for entry in translating.read_catalogue("ko") if entry.id]

    assert len(entries) > 400
    assert not [entry.id for entry in entries if not all(_texts(entry.string))]
    assert not [entry.id for entry in entries if entry.fuzzy]


@pytest.mark.parametrize("language", translating.LANGUAGES)
def test_the_catalogues_hold_what_the_pages_say(language: str) -> None:
    said = {(entry.context, entry.id) for entry in translating.extract_messages() if entry.id}
    kept = {(e.context, e.id) for e in translating.read_catalogue(language) if e.id}

    assert said == kept, "run `manage.py extract_translations`"


def test_translations_keep_the_placeholders() -> None:
    for entry in translating.read_catalogue("ko"):
        if entry.id:
            wanted = {name for text in _texts(entry.id) for name in _placeholders(text)}
            kept = {name for text in _texts(entry.string) for name in _placeholders(text)}
            assert kept == wanted, entry.id


def test_template_strings_are_found() -> None:
    ids = {entry.id for entry in translating.extract_messages()}

    assert "NPU time, metered to the second." in ids
    assert ("device", "devices") in ids
    assert "Nothing has been written yet." in ids


def test_every_refusal_has_a_sentence() -> None:
    bases = (PortalError, ProvisioningError, BillingError)
    codes = {kind.code for base in bases for kind in _descendants(base) if _is_met_on_pages(kind)}

    assert codes - set(refusals.SENTENCES) == set()


def test_every_reason_has_words() -> None:
    folder = Path(inspect.getfile(provisioning)).parent
    written = {
        reason
        for path in folder.glob("*.py")
        if path.name not in ENDS_OF_RUNS
        for reason in re.findall(
            r"""(?<!end_)reason="(\w+)"|NoChoice\(\s*"(\w+)\"""", path.read_text()
        )
    }
    codes = {reason for found in written for reason in found if reason}
    codes |= {blocker.value for blocker in closing.Blocker} | {why.value for why in HoldReason}
    codes |= {marking.ALARM, watching.DENIED, orphaned.BLOCKED, lingering.STUCK, releasing.FORCED}
    codes |= {settling.REASON, *faults.DISRUPTIONS.values()}

    assert {"placed", "no_capacity", "no_evidence"} <= codes
    assert codes - set(reasons.WORDS) == set()


def _placeholders(text: str) -> list[str]:
    return [old or new for old, new in PLACEHOLDER.findall(text)]


def _texts(found: Message | str | tuple[str, ...]) -> tuple[str, ...]:
    return (found,) if isinstance(found, str) else tuple(found)


def _descendants(kind: type[Exception]) -> set[type[Exception]]:
    below = set(kind.__subclasses__())
    return below | {one for child in below for one in _descendants(child)}


def _is_met_on_pages(kind: type[Exception]) -> bool:
    """The gateway's own errors end in a state's reason, the API's in its problems, and what
    differs after a restore is a command's to tell."""
    elsewhere = ("provisioning.cluster", "portal.api", "portal.requests.restoring", "tests")
    return not kind.__module__.startswith(elsewhere)
