"""Forms about instances: asking for them, moving the end of their lease."""

from datetime import datetime, timedelta

from django import forms
from django.db.models import QuerySet
from django.utils.translation import gettext_lazy as _

from portal.requests.submitting import LONGEST_NAME, MOST_INSTANCES
from portal.requests.wishes import InstanceWish
from portal.tenants.models import Project
from portal.web.forms.instants import instant_input
from portal.web.forms.volumes import GivenForm
from portal.web.offers import offered_types
from provisioning.models import RuntimeImage, Volume

CUSTOM = "custom"
HOURS = [
    ("1", _("1 hour")),
    ("4", _("4 hours")),
    ("8", _("8 hours")),
    ("24", _("1 day")),
    ("168", _("7 days")),
    ("720", _("30 days")),
]
CHOSEN = (CUSTOM, _("At a time I choose"))
ENDLESS = ("", _("Until I stop it"))


class LeaseForm(forms.Form):
    """How long something runs: some hours, no end, or an instant of one's own."""

    lease = forms.ChoiceField(
        label=_("Runs for"), choices=[*HOURS, ENDLESS, CHOSEN], required=False
    )
    ends_at = forms.DateTimeField(
        label=_("Ends at"), required=False, widget=instant_input(), help_text=_("Korean time.")
    )

    def clean(self) -> dict[str, object]:
        """An instant of one's own has to be given."""
        cleaned: dict[str, object] = super().clean() or self.cleaned_data
        if cleaned.get("lease") == CUSTOM and not cleaned.get("ends_at") and not self.errors:
            self.add_error("ends_at", _("Say when it ends."))
        return cleaned

    def end(self, *, at: datetime) -> datetime | None:
        """The end, counted from this instant; None is no end."""
        lease = self.cleaned_data.get("lease")
        if lease == CUSTOM:
            chosen: datetime | None = self.cleaned_data.get("ends_at")
            return chosen
        return at + timedelta(hours=int(lease)) if lease else None


class ExtensionForm(LeaseForm):
    """A new end of an instance that runs, counted from now."""

    lease = forms.ChoiceField(label=_("Runs for"), choices=[*HOURS, CHOSEN])

    def end(self, *, at: datetime) -> datetime:
        """The end: there always is one."""
        chosen = super().end(at=at)
        assert chosen is not None  # noqa: S101  (validation asked for one or the other)
        return chosen


class InstanceForm(LeaseForm, GivenForm):
    """What is wished for, and in which project."""

    project = forms.ModelChoiceField(
        label=_("Project"), queryset=Project.objects.none(), empty_label=None
    )
    instance_type = forms.ChoiceField(label=_("Instance type"), widget=forms.RadioSelect)
    image = forms.ModelChoiceField(
        label=_("Image"),
        queryset=RuntimeImage.objects.filter(is_retired=False).order_by("name"),
        to_field_name="slug",
        empty_label=None,
        required=False,
    )
    own_image = forms.CharField(
        label=_("Image of your own"),
        required=False,
        max_length=300,
        help_text=_("Instead of the image above. A digest (@sha256:…) fixes what runs."),
    )
    count = forms.IntegerField(
        label=_("How many"), min_value=1, max_value=MOST_INSTANCES, initial=1
    )
    name = forms.CharField(
        label=_("Name"),
        max_length=LONGEST_NAME,
        required=False,
        help_text=_("For your own orientation. Empty takes the instance type's."),
    )

    def __init__(
        self,
        *args: object,
        projects: QuerySet[Project],
        volumes: QuerySet[Volume] | None = None,
        **kwargs: object,
    ) -> None:
        super().__init__(*args, **kwargs)  # type: ignore[arg-type]
        self.offer_volumes(Volume.objects.none() if volumes is None else volumes)
        self.fields["project"].queryset = projects  # type: ignore[attr-defined]
        self.fields["instance_type"].choices = [  # type: ignore[attr-defined]
            (kind.slug, kind.name) for kind in offered_types()
        ]

    def wish(self, *, at: datetime) -> InstanceWish:
        """The wish in the domain's words."""
        image, own = self.cleaned_data["image"], self.cleaned_data["own_image"]
        return InstanceWish(
            instance_type_slug=self.cleaned_data["instance_type"],
            image_slug=image.slug if image and not own else "",
            own_image=own,
            volumes=self.mounts(),
            secrets=self.secrets(),
            wants_token=self.cleaned_data["wants_token"],
            count=self.cleaned_data["count"],
            name=self.cleaned_data["name"],
            ends_at=self.end(at=at),
        )
