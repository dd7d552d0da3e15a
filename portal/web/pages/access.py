"""Into an instance: its terminal, its ports, what it prints and what happens to it.

What goes on inside is `portal.access`'s affair; here are the doors to it, and the list of
who went through them.
"""

import json
from urllib.parse import urlencode
from uuid import UUID

from csp.constants import NONCE
from django.contrib import messages
from django.http import HttpResponse, HttpResponseRedirect, StreamingHttpResponse
from django.shortcuts import redirect, render
from django.urls import reverse
from django.utils import timezone
from django.utils.translation import gettext as _

from portal.access import addresses, callers, streaming, terminals, tickets
from portal.access.errors import TooManyStreams
from portal.access.hosts import Place
from portal.tenants.access import Action
from portal.tenants.models import Tenant
from portal.tenants.scoping import instance_for
from portal.web import refusals, states
from portal.web.answering import SignedInRequest, action, attempt, page
from portal.web.forms.ports import PortForm
from portal.web.reaching import instance_in
from provisioning import confiding, exposing, pods, reading
from provisioning.errors import IllegalPort, ProvisioningError
from provisioning.models import Instance

LOG_LINES = 1000
EVENTS = 50
SHOWN = 10
RUNNING, RESTING = 5, 20


@page
def show_terminal(request: SignedInRequest, slug: str, instance_id: UUID) -> HttpResponse:
    """Show a terminal, which connects by itself."""
    tenant, instance = instance_in(request.user, slug, instance_id, Action.OPEN_TERMINAL)
    words = _closing_words()
    context = {"tenant": tenant, "instance": instance, "words": words, "said": json.dumps(words)}
    answer = render(request, "web/tenant/terminal.html", context)
    # The terminal writes its own style sheets, which carry the nonce of the page.
    answer._csp_update = {"style-src": [NONCE]}  # type: ignore[attr-defined]
    return answer


@page
def show_access(request: SignedInRequest, slug: str, instance_id: UUID) -> HttpResponse:
    """Show open ports, who was inside, and what the cluster tells: a part of a page."""
    tenant, instance = instance_in(request.user, slug, instance_id)
    return render(request, "web/tenant/access_live.html", _access(tenant, instance))


@page
def follow_logs(
    request: SignedInRequest, slug: str, instance_id: UUID
) -> HttpResponse | StreamingHttpResponse:
    """Follow what the instance prints, or what an earlier attempt printed."""
    _tenant, instance = instance_in(request.user, slug, instance_id, Action.READ_LOGS)
    wanted = request.GET.get("attempt", "")
    known = wanted.isdecimal() and len(wanted) < 9
    try:
        return streaming.log_answer(
            caller=callers.caller_of(request),
            instance=instance,
            attempt_no=int(wanted) if known else instance.attempt_no,
            tail=LOG_LINES,
            in_words=refusals.in_words,
            at=timezone.now(),
        )
    except TooManyStreams as refusal:
        words = refusals.in_words(refusal)
        return HttpResponse(words, status=429, content_type="text/plain; charset=utf-8")


@action
def open_port(request: SignedInRequest, slug: str, instance_id: UUID) -> HttpResponse:
    """Open a port to the project's members."""
    _tenant, instance = instance_in(request.user, slug, instance_id, Action.OPEN_PORT)

    def act() -> None:
        form = PortForm(request.POST)
        if not form.is_valid():
            raise IllegalPort
        exposing.open_port(
            instance=instance,
            **form.cleaned_data,
            by=request.user.email,
            at=timezone.now(),
        )

    return attempt(request, act, done=_("The port is open."), to=_page_of(slug, instance_id))


@action
def close_port(request: SignedInRequest, slug: str, instance_id: UUID, port: int) -> HttpResponse:
    """Close a port; whoever is there has to leave within seconds."""
    _tenant, instance = instance_in(request.user, slug, instance_id, Action.OPEN_PORT)
    return attempt(
        request,
        lambda: exposing.close_port(
            instance=instance, port=port, by=request.user.email, at=timezone.now()
        ),
        done=_("The port is closed."),
        to=_page_of(slug, instance_id),
    )


@page
def enter_port(request: SignedInRequest, instance_id: UUID, port: int) -> HttpResponse:
    """Send a signed-in person to a port of an instance, with a ticket."""
    instance = instance_for(request.user, instance_id, Action.OPEN_PORT)
    place = Place(instance.pk, port)
    try:
        exposing.require_open(instance_id=instance.pk, port=port)
        pods.running_pod_of(instance)
    except ProvisioningError as refusal:
        messages.error(request, refusals.in_words(refusal))
        return redirect("web:instances-one", instance.tenant_slug, instance.pk)  # type: ignore[attr-defined]
    ticket = tickets.issue_ticket(
        session_key=request.session.session_key or "",
        user_id=request.user.pk,
        place=place,
        state=request.GET.get("state", ""),
        at=timezone.now(),
    )
    onward = urlencode({"ticket": ticket, "next": request.GET.get("next", "/")})
    answer = HttpResponseRedirect(f"{addresses.of(place)}{addresses.ENTER}?{onward}")
    answer["Referrer-Policy"], answer["Cache-Control"] = "no-referrer", "no-store"
    return answer


def _access(tenant: Tenant, instance: Instance) -> dict[str, object]:
    is_running = pods.is_running(instance)
    return {
        "tenant": tenant,
        "instance": instance,
        "is_running": is_running,
        "ports": [(row, addresses.way_to(row)) for row in exposing.ports_of(instance)],
        "has_token": confiding.has_notebook_token(instance),
        "terminals": terminals.terminals_of(instance, most=SHOWN),
        "visits": tickets.visits_of(instance, most=SHOWN),
        "events": _events_of(instance),
        "poll": RESTING if instance.state in states.AT_REST else RUNNING,
    }


def _events_of(instance: Instance) -> list[reading.ClusterEvent]:
    try:
        return reading.read_events(instance=instance)[-EVENTS:]
    except ProvisioningError:
        return []


def _page_of(slug: str, instance_id: UUID) -> str:
    return reverse("web:instances-one", args=[slug, instance_id])


def _closing_words() -> dict[str, str]:
    """What each close reason means, for the script of the page."""
    words = {
        code: str(refusals.SENTENCES[code])
        for code in ("not_running", "forbidden", "cluster_unreachable", "cluster_refused")
    }
    return {
        **words,
        "signed_out": _("You are no longer signed in."),
        "too_many_terminals": _("There are too many open terminals in this instance."),
        "ended": _("The shell has ended."),
        "idle": _("Closed, because nothing was typed for a long time."),
        "too_long": _("Closed, because it was open for too long."),
        "lost": _("The connection is gone."),
        "connecting": _("Connecting …"),
        "open": _("Connected"),
        "again": _("Connect again"),
    }
