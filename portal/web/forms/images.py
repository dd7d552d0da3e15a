"""Forms about images: letting a tenant start its own."""

from django import forms
from django.utils.translation import gettext_lazy as _

from portal.tenants.models import Tenant


class TenantImageForm(forms.Form):
    """Which tenant may start what."""

    tenant = forms.ModelChoiceField(
        label=_("Tenant"), queryset=Tenant.objects.order_by("name"), to_field_name="slug"
    )
    pattern = forms.CharField(
        label=_("Images"),
        max_length=300,
        help_text=_(
            "registry.example/team/* lets everything below through; a tag or a digest fixes it."
        ),
    )
    note = forms.CharField(label=_("Note"), max_length=200, required=False)
