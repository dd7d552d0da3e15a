"""A tenant's own images: which it may start, and the logins they are pulled with."""

from django.contrib import messages
from django.http import HttpResponse
from django.shortcuts import redirect, render
from django.urls import reverse
from django.utils import timezone
from django.utils.translation import gettext as _

from portal.tenants.access import Action
from portal.tenants.scoping import registry_logins_of, tenant_for
from portal.web.answering import (
    SignedInRequest,
    action,
    attempt,
    form_page,
    is_accepted,
    status_of,
)
from portal.web.forms.registries import RegistryLoginForm
from portal.web.reaching import registry_login_in
from provisioning import images, registries


@form_page
def show_registries(request: SignedInRequest, slug: str) -> HttpResponse:
    """Show the logins; store one, in the place of the one there was."""
    is_storing = request.method == "POST"
    needed = Action.MANAGE_REGISTRY_LOGIN if is_storing else Action.VIEW_REGISTRY_LOGIN
    tenant = tenant_for(request.user, slug, needed)
    form = RegistryLoginForm(request.POST or None)

    def store() -> None:
        by = request.user.email
        registries.store_login(tenant_id=tenant.pk, **form.cleaned_data, by=by, at=timezone.now())

    if is_storing and is_accepted(form, store):
        messages.success(request, _("The login is stored."))
        return redirect("web:registries", slug=slug)
    context = {
        "tenant": tenant,
        "form": form,
        "logins": registry_logins_of(request.user).filter(tenant_id=tenant.pk).order_by("host"),
        "allowed": images.allowed_to(tenant.pk).order_by("pattern"),
    }
    return render(request, "web/tenant/registries.html", context, status=status_of(form))


@action
def remove(request: SignedInRequest, slug: str, login_id: int) -> HttpResponse:
    """Forget a login."""
    needed = Action.MANAGE_REGISTRY_LOGIN
    _tenant, login = registry_login_in(request.user, slug, login_id, needed)
    return attempt(
        request,
        lambda: registries.remove_login(login=login, by=request.user.email, at=timezone.now()),
        done=_("The login was removed. What runs, runs on."),
        to=reverse("web:registries", args=[slug]),
    )
