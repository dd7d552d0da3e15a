"""What waits for an operator: instances given up, clusters that are wrong, pods nobody knows."""

from collections.abc import Callable
from typing import Any, TypeVar

from django import forms
from django.contrib import messages
from django.db.models import Model
from django.http import HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.urls import reverse
from django.utils import timezone
from django.utils.translation import gettext as _

from portal.tenants.access import Action
from portal.tenants.models import Tenant
from portal.tenants.scoping import require_staff
from portal.web.answering import SignedInRequest, action, attempt, page
from portal.web.forms.trouble import ReasonForm, ReleaseForm
from provisioning import alarms, dead_letters, orphaned
from provisioning.models import ClusterAlarm, DeadLetter

SHOWN = 200
Trouble = TypeVar("Trouble", DeadLetter, ClusterAlarm)


@page
def show_trouble(request: SignedInRequest) -> HttpResponse:
    """Show what is open, and what was closed lately by whom and why."""
    require_staff(request.user, Action.VIEW_INSTANCE)
    letters = list(dead_letters.open_letters()[:SHOWN])
    tenants = Tenant.objects.in_bulk([letter.instance.tenant_id for letter in letters])
    closed = DeadLetter.objects.exclude(closed_at=None).select_related("instance")
    context = {
        "alarms": [(alarm, _orphans(alarm)) for alarm in alarms.open_alarms()[:SHOWN]],
        "letters": [(letter, tenants.get(letter.instance.tenant_id)) for letter in letters],
        "closed": closed.order_by("-closed_at")[:20],
        "at": timezone.now(),
    }
    return render(request, "web/staff/trouble.html", context)


@action
def retry(request: SignedInRequest, letter_id: int) -> HttpResponse:
    """Look at an instance again at once."""
    letter = _managed(request, DeadLetter, pk=letter_id)
    done = _("It is looked at again now.")
    return _with_reason(request, dead_letters.retry_letter, done=done, letter=letter)


@action
def close(request: SignedInRequest, letter_id: int) -> HttpResponse:
    """Let an instance be."""
    letter = _managed(request, DeadLetter, pk=letter_id)
    done = _("Closed. Nothing is done about it.")
    return _with_reason(request, dead_letters.close_letter, done=done, letter=letter)


@action
def close_alarm(request: SignedInRequest, alarm_id: int) -> HttpResponse:
    """Close an alarm by a person's word."""
    alarm = _managed(request, ClusterAlarm, pk=alarm_id)
    done = _("Closed. It is raised again if the trouble is met again.")
    return _with_reason(request, alarms.close_alarm, done=done, alarm=alarm)


@action
def release(request: SignedInRequest, alarm_id: int) -> HttpResponse:
    """Let exactly the pods that were shown be cleared away."""
    alarm = _managed(request, ClusterAlarm, pk=alarm_id, code=orphaned.BLOCKED)
    form = ReleaseForm(request.POST)
    done = _("These pods are cleared away with the next sweeps.")
    return _with_reason(
        request, orphaned.release_orphans, form=form, done=done, cluster=alarm.cluster
    )


def _managed(request: SignedInRequest, model: type[Trouble], **which: object) -> Trouble:
    require_staff(request.user, Action.MANAGE_CLUSTER)
    return get_object_or_404(model, **which)


def _with_reason(
    request: SignedInRequest,
    act: Callable[..., object],
    *,
    done: str,
    form: forms.Form | None = None,
    **what: Model,
) -> HttpResponse:
    form = form or ReasonForm(request.POST)
    if not form.is_valid():
        messages.error(request, _("Say why; it is kept with your name."))
        return redirect("web:trouble")
    words = {**what, **form.cleaned_data, "by": request.user.email, "at": timezone.now()}
    return attempt(request, lambda: act(**words), done=done, to=reverse("web:trouble"))


def _orphans(alarm: ClusterAlarm) -> list[Any]:
    if alarm.code != orphaned.BLOCKED:
        return []
    return list(orphaned.orphans_of(alarm.cluster).order_by("namespace", "name")[:SHOWN])
