"""The doors of the pages: who is let in, and what a refusal looks like.

Every page behind sign-in is one of three: `page` shows, `action` does one thing and goes
elsewhere, `form_page` shows a form and takes it.  What the domain refuses becomes 404,
403, a sentence above the page, or an error on the form.
"""

from collections.abc import Callable
from functools import wraps
from typing import Any

from django.contrib import messages
from django.contrib.auth.views import redirect_to_login
from django.core.exceptions import PermissionDenied
from django.forms import Form
from django.http import Http404, HttpRequest, HttpResponse
from django.http.response import HttpResponseBase
from django.shortcuts import redirect
from django.utils.cache import patch_vary_headers
from django.views.decorators.http import require_http_methods
from django_htmx.middleware import HtmxDetails

from billing.errors import BillingError
from portal.tenants.errors import Forbidden, NotFound, PortalError
from portal.tenants.models import User
from portal.web import refusals
from provisioning.errors import ProvisioningError

REFUSALS = (PortalError, ProvisioningError, BillingError)
View = Callable[..., HttpResponseBase]


class SignedInRequest(HttpRequest):
    """A request behind a door: there is a person."""

    user: User
    htmx: HtmxDetails


def _door(view: View, verbs: list[str]) -> View:
    @wraps(view)
    def enter(request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponseBase:
        if not request.user.is_authenticated:
            return _to_sign_in(request)
        try:
            answer = view(request, *args, **kwargs)
        except NotFound as error:
            raise Http404 from error
        except Forbidden as error:
            raise PermissionDenied from error
        # A polled part has its page's address: going back must not show the part alone.
        patch_vary_headers(answer, ["HX-Request"])
        return answer

    return require_http_methods(verbs)(enter)


def page(view: View) -> View:
    """A door to look through."""
    return _door(view, ["GET", "HEAD"])


def action(view: View) -> View:
    """A door that does one thing."""
    return _door(view, ["POST"])


def form_page(view: View) -> View:
    """A door that shows a form and takes it."""
    return _door(view, ["GET", "HEAD", "POST"])


def attempt(request: HttpRequest, act: Callable[[], object], *, done: str, to: str) -> HttpResponse:
    """Do it, say how it went, and go to a page."""
    try:
        act()
    except (NotFound, Forbidden):
        raise
    except REFUSALS as refusal:
        messages.error(request, refusals.in_words(refusal))
    else:
        messages.success(request, done)
    return redirect(to)


def is_accepted(form: Form, act: Callable[[], object]) -> bool:
    """Do it with a valid form; what is refused stands on the form."""
    if not form.is_valid():
        return False
    try:
        act()
    except (NotFound, Forbidden):
        raise
    except REFUSALS as refusal:
        form.add_error(None, refusals.in_words(refusal))
        return False
    return True


def status_of(form: Form) -> int:
    """422 for a form with errors, else 200."""
    return 422 if form.is_bound and form.errors else 200


def _to_sign_in(request: HttpRequest) -> HttpResponse:
    # A fragment that is polled must not swallow the sign-in page: it sends the whole page there.
    if getattr(request, "htmx", False):
        return HttpResponse(headers={"HX-Refresh": "true"})
    # What only takes a POST has nothing to show after the sign-in.
    wanted = request.get_full_path() if request.method in ("GET", "HEAD") else "/"
    return redirect_to_login(wanted)
