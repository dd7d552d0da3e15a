"""Pages before and beside any tenant: landing, first tenant, preferences."""

from django.conf import settings
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.shortcuts import redirect, render
from django.utils import timezone
from django.utils.http import url_has_allowed_host_and_scheme
from django.views.decorators.http import require_POST, require_safe

from portal.tenants import onboarding
from portal.tenants.models import Tenant
from portal.web import offers
from portal.web.answering import SignedInRequest, form_page, is_accepted, status_of
from portal.web.forms.tenants import TenantForm
from portal.web.navigation import Navigation
from portal.web.surroundings import THEME_COOKIE, THEMES

A_YEAR = 365 * 24 * 3600


@require_safe
def landing(request: HttpRequest) -> HttpResponse:
    """Say what this is; take who is signed in to their own first page."""
    if request.user.is_authenticated:
        return redirect(home_of(Navigation(request)))
    families = offers.families(at=timezone.now())
    about = {"families": families, "example": offers.example(families)}
    return render(request, "web/landing.html", about)


def home_of(nav: Navigation) -> str:
    """Where a person's day begins: their tenant, else their staff duty, else opening a tenant."""
    if nav.tenants:
        return f"/t/{nav.tenants[0].slug}/"
    for section in ("approvals", "billing", "clusters", "prices"):
        if section in nav.staff_sections:
            return f"/staff/{section}/"
    return "/start/"


@form_page
def start(request: SignedInRequest) -> HttpResponse:
    """Open a tenant for the person who asks."""
    form = TenantForm(request.POST or None)
    opened: list[Tenant] = []

    def open_it() -> None:
        name = form.cleaned_data["name"]
        at = timezone.now()
        opened.append(onboarding.open_tenant(name=name, owner=request.user, at=at))

    if request.method == "POST" and is_accepted(form, open_it):
        return redirect("web:dashboard", slug=opened[0].slug)
    return render(request, "web/start.html", {"form": form}, status=status_of(form))


@require_POST
def preferences(request: HttpRequest) -> HttpResponse:
    """Keep the language and the theme chosen, and go back to where they were chosen."""
    answer = HttpResponseRedirect(_safe_next(request))
    language = request.POST.get("language")
    if language in dict(settings.LANGUAGES):
        _keep(answer, settings.LANGUAGE_COOKIE_NAME, language)
        if request.user.is_authenticated:
            request.user.language = language
            request.user.save(update_fields=["language"])
    theme = request.POST.get("theme")
    if theme in THEMES:
        _keep(answer, THEME_COOKIE, theme)
    elif theme == "":
        answer.delete_cookie(THEME_COOKIE)
    return answer


def _keep(answer: HttpResponse, name: str, value: str) -> None:
    answer.set_cookie(
        name, value, max_age=A_YEAR, samesite="Lax", secure=settings.SESSION_COOKIE_SECURE
    )


def _safe_next(request: HttpRequest) -> str:
    wanted = request.POST.get("next", "")
    hosts = {request.get_host()}
    return wanted if url_has_allowed_host_and_scheme(wanted, allowed_hosts=hosts) else "/"
