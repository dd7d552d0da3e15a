"""Images tenants may start of their own: shown to the platform, allowed by operators."""

from django.http import HttpResponse
from django.shortcuts import redirect, render
from django.urls import reverse
from django.utils import timezone
from django.utils.translation import gettext as _

from portal.tenants.access import Action
from portal.tenants.models import Tenant
from portal.tenants.scoping import reach, require_staff, tenant_images_of
from portal.web.answering import (
    SignedInRequest,
    action,
    attempt,
    form_page,
    is_accepted,
    status_of,
)
from portal.web.forms.images import TenantImageForm
from provisioning import images
from provisioning.models import RuntimeImage


@form_page
def show_images(request: SignedInRequest) -> HttpResponse:
    """Show what everybody and what single tenants may start; allow one more."""
    is_allowing = request.method == "POST"
    needed = Action.MANAGE_TENANT_IMAGE if is_allowing else Action.VIEW_TENANT_IMAGE
    require_staff(request.user, needed)
    form = TenantImageForm(request.POST or None)

    def allow() -> None:
        given = dict(form.cleaned_data)
        tenant_id = given.pop("tenant").pk
        by = request.user.email
        images.allow_image(tenant_id=tenant_id, **given, by=by, at=timezone.now())

    if is_allowing and is_accepted(form, allow):
        return redirect("web:images")
    context = {
        "form": form,
        "platform": RuntimeImage.objects.filter(is_retired=False),
        "allowed": tenant_images_of(request.user).order_by("tenant_id", "pattern"),
        "tenants": Tenant.objects.in_bulk(),
    }
    return render(request, "web/staff/images.html", context, status=status_of(form))


@action
def withdraw(request: SignedInRequest, image_id: int) -> HttpResponse:
    """Let a tenant start them no more."""
    needed, view = Action.MANAGE_TENANT_IMAGE, Action.VIEW_TENANT_IMAGE
    require_staff(request.user, needed)
    image = reach(tenant_images_of, request.user, needed, view=view, pk=image_id)
    return attempt(
        request,
        lambda: images.withdraw_image(image=image, by=request.user.email, at=timezone.now()),
        done=_("These images can no longer be started. What runs, runs on."),
        to=reverse("web:images"),
    )
