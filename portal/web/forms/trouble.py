"""Forms of what waits for an operator: always with a reason."""

from typing import Any

from django import forms
from django.utils.translation import gettext_lazy as _


class ReasonForm(forms.Form):
    """Why something is done by hand."""

    reason = forms.CharField(label=_("Reason"), max_length=500)


class UidsField(forms.Field):
    """The pods that were shown, each as a hidden field."""

    widget = forms.MultipleHiddenInput

    def clean(self, value: Any) -> list[str]:
        """Take them as they are: only those that still wait are touched."""
        return [str(one) for one in value or ()]


class ReleaseForm(ReasonForm):
    """Which pods may be cleared away, and why."""

    uids = UidsField(required=False)
