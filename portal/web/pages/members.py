"""Who belongs to a tenant: list, add, change role, remove."""

from django.http import HttpResponse
from django.shortcuts import redirect, render
from django.urls import reverse
from django.utils import timezone
from django.utils.translation import gettext as _

from portal.tenants import joining
from portal.tenants.access import Action
from portal.tenants.scoping import members_of, tenant_for
from portal.web.answering import (
    SignedInRequest,
    action,
    attempt,
    form_page,
    is_accepted,
    status_of,
)
from portal.web.forms.tenants import MemberForm, RoleForm
from portal.web.reaching import member_in


@form_page
def show_members(request: SignedInRequest, slug: str) -> HttpResponse:
    """Show the members, and add one who has signed up."""
    needed = Action.MANAGE_MEMBERS if request.method == "POST" else Action.VIEW_MEMBERS
    tenant = tenant_for(request.user, slug, needed)
    form = MemberForm(request.POST or None)

    def add() -> None:
        joining.add_member(tenant=tenant, **form.cleaned_data, by=request.user, at=timezone.now())

    if request.method == "POST" and is_accepted(form, add):
        return redirect("web:members", slug=slug)
    members = members_of(request.user).filter(tenant=tenant).order_by("user__email")
    context = {
        "tenant": tenant,
        "members": [(one, _role_form(one.role)) for one in members],
        "form": form,
    }
    return render(request, "web/tenant/members.html", context, status=status_of(form))


@action
def change_role(request: SignedInRequest, slug: str, membership_id: int) -> HttpResponse:
    """Give a member another role."""
    _tenant, membership = member_in(request.user, slug, membership_id, Action.MANAGE_MEMBERS)
    role = request.POST.get("role", "")
    return attempt(
        request,
        lambda: joining.change_role(membership=membership, role=role, by=request.user),
        done=_("The role was changed."),
        to=reverse("web:members", args=[slug]),
    )


@action
def remove(request: SignedInRequest, slug: str, membership_id: int) -> HttpResponse:
    """Let a member go."""
    _tenant, membership = member_in(request.user, slug, membership_id, Action.MANAGE_MEMBERS)
    return attempt(
        request,
        lambda: joining.remove_member(membership=membership, by=request.user),
        done=_("The member was removed."),
        to=reverse("web:members", args=[slug]),
    )


def _role_form(role: str) -> RoleForm:
    return RoleForm(initial={"role": role}, auto_id=False)
