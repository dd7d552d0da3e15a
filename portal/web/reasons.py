"""Reasons of states and decisions in plain words.

The domain gives a code; the page says what it means for the person who waits.  A code
without words here is shown as it is, with spaces.
"""

from django.utils.functional import Promise
from django.utils.translation import gettext_lazy as _

WORDS: dict[str, Promise] = {
    "launch_wished": _("Asked to start; a place is being looked for."),
    # Why a request waits for a person
    "many_devices": _("It asks for more devices than are launched without a person."),
    "long_lease": _("It asks for a longer time than is launched without a person."),
    "no_end": _("It has no end time."),
}


def in_words(code: str) -> Promise | str:
    """What a reason code means."""
    return WORDS.get(code, code.replace("_", " "))
