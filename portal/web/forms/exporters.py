"""The form that says where a pool's exporter is asked."""

from typing import Any

from django import forms
from django.utils.translation import gettext_lazy as _

from provisioning import pointing
from provisioning.models import Cluster, Pool


class ExporterForm(forms.Form):
    """Which pool, and where: a namespace, the pods' labels, a port."""

    pool = forms.ModelChoiceField(
        label=_("Devices"), queryset=Pool.objects.none(), empty_label=None
    )
    namespace = forms.RegexField(
        label=_("Namespace"), regex=rf"\A{pointing.NAMESPACE.pattern}\Z", max_length=63
    )
    selector = forms.RegexField(
        label=_("Labels of its pods"),
        regex=rf"\A{pointing.SELECTOR.pattern}\Z",
        max_length=pointing.LONGEST_SELECTOR,
        help_text=_("label=value, several with commas between."),
    )
    port = forms.IntegerField(label=_("Port"), min_value=1, max_value=pointing.LAST_PORT)

    def __init__(self, *args: Any, cluster: Cluster, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        pools = cluster.pools.all()
        self.fields["pool"].queryset = pools  # type: ignore[attr-defined]
