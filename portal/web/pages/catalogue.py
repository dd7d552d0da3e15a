"""The catalogue: what can be rented, at what price, and where devices are free."""

from django.http import HttpResponse
from django.shortcuts import render
from django.utils import timezone

from portal.tenants.scoping import tenant_for
from portal.web import offers
from portal.web.answering import SignedInRequest, page
from portal.web.reaching import account_of
from provisioning.models import RuntimeImage


@page
def show_catalogue(request: SignedInRequest, slug: str) -> HttpResponse:
    """Show families and instance types at the tenant's prices."""
    tenant = tenant_for(request.user, slug)
    account = account_of(tenant)
    families = offers.families(at=timezone.now(), account_id=account.pk if account else None)
    context = {
        "tenant": tenant,
        "families": families,
        "images": RuntimeImage.objects.filter(is_retired=False).order_by("name"),
    }
    return render(request, "web/tenant/catalogue.html", context)
