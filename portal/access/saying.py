"""Say in plain words, on an instance's host, why there is nothing to see.

These pages are ours but stand on the instance's origin: they carry no script, no cookie
and no look, and may not be framed.
"""

from html import escape
from typing import Final

from django.conf import settings
from django.http import HttpRequest
from django.utils.functional import Promise
from django.utils.translation import get_language_from_request, gettext_lazy, override
from django.utils.translation import gettext as _

from portal.access.protocol import Send

SENTENCES: Final[dict[str, tuple[int, Promise]]] = {
    "signed_out": (401, gettext_lazy("You are not signed in here. Open the page from the portal.")),
    "foreign": (403, gettext_lazy("Another site asked for this in your name. It was refused.")),
    "ticket_refused": (
        403,
        gettext_lazy("This link was used already or is too old. Open the page from the portal."),
    ),
    "not_found": (404, gettext_lazy("There is no such thing, or it is not yours to see.")),
    "forbidden": (403, gettext_lazy("Your role does not allow this.")),
    "port_not_open": (404, gettext_lazy("This port of the instance is not open.")),
    "not_running": (409, gettext_lazy("The instance does not run now.")),
    "nothing_listens": (
        502,
        gettext_lazy("Nothing in the instance listens at this port. Is the program started?"),
    ),
    "cluster_unreachable": (
        504,
        gettext_lazy("The cluster does not answer. Try again in a moment."),
    ),
    "too_many_open": (
        429,
        gettext_lazy("You have too many connections to instances open at once."),
    ),
    "bad_address": (400, gettext_lazy("This address cannot be passed on to an instance.")),
}
_OTHERWISE: Final = (502, gettext_lazy("The cluster answered and refused."))


async def say(send: Send, request: HttpRequest, code: str) -> None:
    """Answer with one sentence in the reader's language."""
    status, sentence = SENTENCES.get(code, _OTHERWISE)
    with override(get_language_from_request(request)):
        body = _page(str(sentence)).encode()
    headers = [
        (b"content-type", b"text/html; charset=utf-8"),
        (b"content-length", str(len(body)).encode()),
        (b"content-security-policy", b"default-src 'none'; frame-ancestors 'none'"),
        (b"cache-control", b"no-store"),
        (b"x-content-type-options", b"nosniff"),
        (b"x-npu-farm", code.encode()),
    ]
    await send({"type": "http.response.start", "status": status, "headers": headers})
    await send({"type": "http.response.body", "body": body})


def _page(sentence: str) -> str:
    portal, back = escape(settings.FARM_ADDRESS), escape(_("To the portal"))
    return (
        '<!doctype html><meta charset="utf-8"><meta name="viewport" content="width=device-width">'
        f"<title>NPU Farm</title><h1>NPU Farm</h1><p>{escape(sentence)}</p>"
        f'<p><a href="{portal}">{back}</a></p>'
    )
