"""Price books: the rates from … until, adding one, following one by another."""

from django.contrib import messages
from django.http import HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.urls import reverse
from django.utils import timezone
from django.utils.translation import gettext as _

from billing import pricing
from billing.models import PriceBook, Rate
from portal.tenants.access import Action
from portal.tenants.scoping import require_staff
from portal.web.answering import (
    SignedInRequest,
    action,
    attempt,
    form_page,
    is_accepted,
    status_of,
)
from portal.web.forms.staff import NextRateForm, RateForm


@form_page
def show_prices(request: SignedInRequest) -> HttpResponse:
    """Show the books with their rates; add a rate."""
    is_adding = request.method == "POST"
    require_staff(request.user, Action.MANAGE_PRICES if is_adding else Action.VIEW_PRICES)
    form = RateForm(request.POST or None)

    def add() -> None:
        pricing.add_rate(**form.cleaned_data, at=timezone.now())

    if is_adding and is_accepted(form, add):
        return redirect("web:prices")
    rates = list(Rate.objects.select_related("sku").order_by("sku__code", "valid"))
    context = {
        "books": [
            (book, [rate for rate in rates if rate.book_id == book.pk])
            for book in PriceBook.objects.order_by("name")
        ],
        "form": form,
        "at": timezone.now(),
    }
    return render(request, "web/staff/prices.html", context, status=status_of(form))


@action
def follow(request: SignedInRequest, rate_id: int) -> HttpResponse:
    """Let another price follow one in force, from a future instant."""
    require_staff(request.user, Action.MANAGE_PRICES)
    rate = get_object_or_404(Rate.objects.select_related("book", "sku"), pk=rate_id)
    form = NextRateForm(request.POST)
    if not form.is_valid():
        messages.error(
            request, " ".join(str(error) for errors in form.errors.values() for error in errors)
        )
        return redirect("web:prices")
    return attempt(
        request,
        lambda: pricing.change_rate(
            book=rate.book, sku=rate.sku, **form.cleaned_data, at=timezone.now()
        ),
        done=_("The new price follows."),
        to=reverse("web:prices"),
    )
