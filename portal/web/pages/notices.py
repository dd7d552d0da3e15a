"""What a person was told: the bell in every page's head, the list behind it, marking it read."""

from django.http import HttpResponse
from django.shortcuts import render
from django.urls import reverse
from django.utils import timezone
from django.utils.translation import gettext as _

from portal.notices import scoping, wording
from portal.tenants.scoping import pick
from portal.web.answering import SignedInRequest, action, attempt, page

SHOWN = 100


@page
def show_notices(request: SignedInRequest) -> HttpResponse:
    """Show the latest notices, unread ones marked."""
    notices = scoping.notices_of(request.user)[:SHOWN]
    told = [(one, wording.sentence_of(one), wording.address_of(one)) for one in notices]
    unread = scoping.unread_count(request.user)
    return render(request, "web/notices.html", {"told": told, "unread": unread})


@page
def show_bell(request: SignedInRequest) -> HttpResponse:
    """Show the bell alone: pages ask for it now and then."""
    context = {"unread": scoping.unread_count(request.user)}
    return render(request, "web/parts/bell.html", context)


@action
def read_all(request: SignedInRequest) -> HttpResponse:
    """Mark everything as read."""
    return attempt(
        request,
        lambda: scoping.mark_read(user=request.user, at=timezone.now()),
        done=_("Everything is marked as read."),
        to=reverse("web:notices"),
    )


@action
def read_one(request: SignedInRequest, notice_id: int) -> HttpResponse:
    """Mark one as read."""
    notice = pick(scoping.notices_of(request.user), pk=notice_id)
    return attempt(
        request,
        lambda: scoping.mark_read(user=request.user, notice=notice, at=timezone.now()),
        done=_("It is marked as read."),
        to=reverse("web:notices"),
    )
