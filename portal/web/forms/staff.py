"""Forms of the people who operate the farm: clusters and prices."""

from typing import Any

from django import forms
from django.utils.translation import gettext_lazy as _

from billing.models import PriceBook, Sku
from portal.web.forms.instants import instant_input
from portal.web.states import shown_as
from provisioning.states import Identity

LARGEST_KUBECONFIG = 256 * 1024


class KubeconfigField(forms.FileField):
    """A kubeconfig as text: it is small and is UTF-8."""

    def clean(self, data: Any, initial: Any = None) -> str:
        """Read the file."""
        file = super().clean(data, initial)
        if not file:
            return ""
        if file.size > LARGEST_KUBECONFIG:
            raise forms.ValidationError(_("This file is too large for a kubeconfig."))
        try:
            text: str = file.read().decode()
        except UnicodeDecodeError:
            raise forms.ValidationError(_("This is not a text file.")) from None
        return text


class ClusterForm(forms.Form):
    """A new cluster: its name here and how to reach it, as one identity or as three."""

    name = forms.SlugField(
        label=_("Name"),
        max_length=40,
        help_text=_("Lower-case letters, digits and hyphens. Tenants see it."),
    )
    kubeconfig = KubeconfigField(
        label=_("Kubeconfig file"),
        help_text=_("With inline credentials only. It is stored encrypted and never shown again."),
    )
    watcher = KubeconfigField(label=_("The watcher's own"), required=False)
    access = KubeconfigField(
        label=_("Access's own"),
        required=False,
        help_text=_("Without files of their own, all use the first."),
    )

    def others(self) -> dict[Identity, str]:
        """The kubeconfigs of identities that have their own."""
        given = {one: self.cleaned_data[one] for one in (Identity.WATCHER, Identity.ACCESS)}
        return {identity: text for identity, text in given.items() if text}


class CredentialsForm(forms.Form):
    """Other credentials of the same cluster."""

    identity = forms.ChoiceField(label=_("Identity"), required=False)
    kubeconfig = KubeconfigField(
        label=_("Kubeconfig file"),
        help_text=_("It has to lead to the very same cluster, which is asked first."),
    )

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        choices = [("", str(_("All identities without their own")))]
        choices += [(one.value, str(shown_as(one, "identity").label)) for one in Identity]
        self.fields["identity"].choices = choices  # type: ignore[attr-defined]


class LossForm(forms.Form):
    """The cluster to give up, by its name, and why."""

    confirmation = forms.CharField(max_length=40)
    reason = forms.CharField(max_length=500)


class GatewayForm(forms.Form):
    """The gateway at a cluster's edge, and the portal's service behind it."""

    gateway_namespace = forms.CharField(label=_("Namespace of the gateway"), max_length=63)
    gateway_name = forms.CharField(label=_("Name of the gateway"), max_length=253)
    namespace = forms.CharField(
        label=_("Namespace of the portal's service"),
        max_length=63,
        help_text=_("Routes are made here too; the gateway has to accept routes from it."),
    )
    service_name = forms.CharField(label=_("Name of the portal's service"), max_length=63)
    service_port = forms.IntegerField(
        label=_("Port of the portal's service"), min_value=1, max_value=65535
    )


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
