"""Forms about a tenant: its name, its members, its projects."""

from django import forms
from django.utils.translation import gettext_lazy as _

from portal.tenants.access import Role

ROLES = [
    (Role.OWNER.value, _("Owner")),
    (Role.MANAGER.value, _("Manager")),
    (Role.MEMBER.value, _("Member")),
    (Role.BILLING.value, _("Billing")),
    (Role.VIEWER.value, _("Viewer")),
]


class TenantForm(forms.Form):
    """What a tenant is called."""

    name = forms.CharField(
        label=_("Name of your organisation"),
        max_length=120,
        help_text=_("It stands on invoices. You can invite colleagues afterwards."),
        widget=forms.TextInput(attrs={"autocomplete": "organization", "autofocus": True}),
    )


class ProjectForm(forms.Form):
    """What a project is called."""

    name = forms.CharField(label=_("Name of the project"), max_length=120)


class MemberForm(forms.Form):
    """Whom to add, and as what."""

    email = forms.EmailField(
        label=_("E-mail address"), help_text=_("The address they have signed up with.")
    )
    role = forms.ChoiceField(label=_("Role"), choices=ROLES, initial="member")


class RoleForm(forms.Form):
    """Which role a member gets."""

    role = forms.ChoiceField(label=_("Role"), choices=ROLES)
