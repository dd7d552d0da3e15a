"""Forms about quota: asking for it and deciding."""

from django import forms
from django.db.models import QuerySet
from django.utils.translation import gettext_lazy as _

from portal.tenants.models import Project
from provisioning.models import Family


class FamilyChoice(forms.ModelChoiceField):  # type: ignore[type-arg]
    """Families with their maker's name."""

    def label_from_instance(self, obj: Family) -> str:
        """Words of one option."""
        return f"{obj.vendor.name} {obj.name}"


class QuotaRequestForm(forms.Form):
    """How many devices of which family for which project, and what for."""

    project = forms.ModelChoiceField(
        label=_("Project"), queryset=Project.objects.none(), empty_label=None
    )
    family = FamilyChoice(
        label=_("Accelerator family"), queryset=Family.objects.none(), empty_label=_("Choose one")
    )
    devices = forms.IntegerField(
        label=_("Devices"),
        min_value=1,
        help_text=_("How many more you want to hold at the same time."),
    )
    justification = forms.CharField(
        label=_("What for"),
        max_length=4000,
        widget=forms.Textarea(attrs={"rows": 4}),
        help_text=_("Model, workload, how long. The approver decides on this."),
    )

    def __init__(self, *args: object, projects: QuerySet[Project], **kwargs: object) -> None:
        super().__init__(*args, **kwargs)  # type: ignore[arg-type]
        offered = Family.objects.filter(instance_types__is_retired=False).distinct()
        self.fields["project"].queryset = projects.order_by("name")  # type: ignore[attr-defined]
        self.fields["family"].queryset = offered.select_related("vendor").order_by(  # type: ignore[attr-defined]
            "vendor__name", "name"
        )


class QuotaDecisionForm(forms.Form):
    """Grant what was asked, or fewer."""

    devices = forms.IntegerField(label=_("Devices to grant"), min_value=1)
    reason = forms.CharField(label=_("Note to the tenant"), max_length=2000, required=False)


class RejectionForm(forms.Form):
    """Why not."""

    reason = forms.CharField(
        label=_("Reason"), max_length=2000, widget=forms.Textarea(attrs={"rows": 3})
    )
