"""Forms about registries: a tenant's login to one."""

from django import forms
from django.utils.translation import gettext_lazy as _

from provisioning.registries import LONGEST_HOST, LONGEST_USERNAME, MOST_PASSWORD_BYTES


class RegistryLoginForm(forms.Form):
    """Where, as whom, with which password; the password is never printed back."""

    host = forms.CharField(
        label=_("Registry"),
        max_length=LONGEST_HOST + len(":65535"),
        widget=forms.TextInput(attrs={"placeholder": "registry.example", "spellcheck": "false"}),
        help_text=_("Its host name, as it stands at the beginning of an image."),
    )
    username = forms.CharField(
        label=_("User name"),
        max_length=LONGEST_USERNAME,
        widget=forms.TextInput(attrs={"autocomplete": "off", "spellcheck": "false"}),
    )
    password = forms.CharField(
        label=_("Password or token"),
        max_length=MOST_PASSWORD_BYTES,
        strip=False,
        widget=forms.PasswordInput(attrs={"autocomplete": "new-password"}),
        help_text=_("It is stored encrypted and never shown again."),
    )
