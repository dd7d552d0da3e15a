"""The form of a maintenance window."""

from typing import Any

from django import forms
from django.utils.translation import gettext_lazy as _

from portal.web.forms.instants import instant_input
from provisioning.models import Cluster, ClusterState, MaintenancePolicy, Node


class WindowForm(forms.Form):
    """From when to when, of which cluster or nodes, why, and what becomes of what still runs."""

    cluster = forms.ModelChoiceField(
        label=_("Cluster"), queryset=Cluster.objects.none(), empty_label=None, to_field_name="name"
    )
    nodes = forms.ModelMultipleChoiceField(
        label=_("Nodes"),
        queryset=Node.objects.none(),
        required=False,
        help_text=_("None chosen: the whole cluster."),
    )
    starts_at = forms.DateTimeField(
        label=_("From"), widget=instant_input(), help_text=_("Korean time.")
    )
    ends_at = forms.DateTimeField(label=_("Until"), widget=instant_input())
    reason = forms.CharField(label=_("Reason"), max_length=300, help_text=_("Tenants read it."))
    policy = forms.ChoiceField(
        label=_("What still runs then"),
        choices=[
            (MaintenancePolicy.WAIT.value, _("is waited for")),
            (MaintenancePolicy.MOVE.value, _("is moved elsewhere")),
            (MaintenancePolicy.STOP.value, _("is stopped")),
        ],
    )
    grace_minutes = forms.IntegerField(
        label=_("Minutes of grace"), min_value=0, max_value=1440, initial=0
    )

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        kept = Cluster.objects.exclude(state=ClusterState.REMOVED)
        nodes = Node.objects.filter(gone_at__isnull=True, cluster__in=kept)
        self.fields["cluster"].queryset = kept  # type: ignore[attr-defined]
        self.fields["nodes"].queryset = nodes  # type: ignore[attr-defined]
