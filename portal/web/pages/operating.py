"""What a tenant does with an instance: stop it, start it again, let it go, move its end.

Each is a wish; the page it leads back to shows what becomes of it.
"""

from collections.abc import Callable
from datetime import datetime
from uuid import UUID

from django.http import HttpResponse
from django.urls import reverse
from django.utils import timezone
from django.utils.translation import gettext as _

from portal.requests import operating
from portal.tenants.access import Action
from portal.web.answering import SignedInRequest, action, attempt
from portal.web.forms.instances import ExtensionForm
from portal.web.reaching import instance_in
from provisioning.errors import LeaseInPast
from provisioning.models import Instance


@action
def stop(request: SignedInRequest, slug: str, instance_id: UUID) -> HttpResponse:
    """Wish that it stops."""
    return _operate(
        request, slug, instance_id, operating.stop_instance, done=_("It is being stopped.")
    )


@action
def start(request: SignedInRequest, slug: str, instance_id: UUID) -> HttpResponse:
    """Wish that it runs again."""

    def start_by(*, instance: Instance, at: datetime) -> Instance:
        return operating.start_instance(instance=instance, by=request.user, at=at)

    return _operate(request, slug, instance_id, start_by, done=_("It is being started."))


@action
def terminate(request: SignedInRequest, slug: str, instance_id: UUID) -> HttpResponse:
    """Wish that it goes for good."""
    return _operate(
        request,
        slug,
        instance_id,
        operating.terminate_instance,
        done=_("It is being terminated."),
    )


@action
def move(request: SignedInRequest, slug: str, instance_id: UUID) -> HttpResponse:
    """Wish that it runs on other devices."""
    done = _("It is being moved.")
    return _operate(request, slug, instance_id, operating.move_instance, done=done)


@action
def move_end(request: SignedInRequest, slug: str, instance_id: UUID) -> HttpResponse:
    """Let it end sooner or later."""

    def extend(*, instance: Instance, at: datetime) -> Instance:
        form = ExtensionForm(request.POST)
        if not form.is_valid():
            raise LeaseInPast
        return operating.extend_lease(instance=instance, ends_at=form.end(at=at), at=at)

    return _operate(request, slug, instance_id, extend, done=_("The end was changed."))


def _operate(
    request: SignedInRequest,
    slug: str,
    instance_id: UUID,
    act: Callable[..., Instance],
    *,
    done: str,
) -> HttpResponse:
    _tenant, instance = instance_in(request.user, slug, instance_id, Action.OPERATE_INSTANCE)
    return attempt(
        request,
        lambda: act(instance=instance, at=timezone.now()),
        done=done,
        to=reverse("web:instances-one", args=[slug, instance_id]),
    )
