"""Forms of the people who operate the farm: clusters and prices."""

from django import forms
from django.utils.translation import gettext_lazy as _

from billing.models import PriceBook, Sku
from portal.web.forms.instants import instant_input

LARGEST_KUBECONFIG = 256 * 1024


class ClusterForm(forms.Form):
    """A new cluster: its name here and how to reach it."""

    name = forms.SlugField(
        label=_("Name"),
        max_length=40,
        help_text=_("Lower-case letters, digits and hyphens. Tenants see it."),
    )
    kubeconfig = forms.FileField(
        label=_("Kubeconfig file"),
        help_text=_("With inline credentials only. It is stored encrypted and never shown again."),
    )

    def clean_kubeconfig(self) -> str:
        """The file as text; a kubeconfig is small and is UTF-8."""
        file = self.cleaned_data["kubeconfig"]
        if file.size > LARGEST_KUBECONFIG:
            raise forms.ValidationError(_("This file is too large for a kubeconfig."))
        try:
            text: str = file.read().decode()
        except UnicodeDecodeError:
            raise forms.ValidationError(_("This is not a text file.")) from None
        return text


class NextRateForm(forms.Form):
    """The price that follows another, and from when."""

    hourly_rate = forms.DecimalField(
        label=_("Won per device-hour"), min_value=0, max_digits=14, decimal_places=4
    )
    valid_from = forms.DateTimeField(
        label=_("Valid from"),
        widget=instant_input(),
        help_text=_("Korean time; not in the past."),
    )


class RateForm(NextRateForm):
    """A price of one SKU in one book, from … until."""

    book = forms.ModelChoiceField(
        label=_("Price book"), queryset=PriceBook.objects.order_by("name"), empty_label=None
    )
    sku = forms.ModelChoiceField(
        label=_("SKU"), queryset=Sku.objects.order_by("code"), empty_label=_("Choose one")
    )
    valid_until = forms.DateTimeField(
        label=_("Valid until"),
        required=False,
        widget=instant_input(),
        help_text=_("Empty: until another price follows."),
    )
    field_order = ("book", "sku", "hourly_rate", "valid_from", "valid_until")
