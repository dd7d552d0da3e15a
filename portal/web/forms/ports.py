"""The form that opens a port."""

from django import forms
from django.utils.translation import gettext_lazy as _


class PortForm(forms.Form):
    """Which port, and whether a notebook listens there."""

    port = forms.IntegerField(label=_("Port"), min_value=1, max_value=65535)
    is_notebook = forms.BooleanField(label=_("A notebook listens here"), required=False)
