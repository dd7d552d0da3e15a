"""Forms about storage and secrets: a new volume, more room, and what an instance is given."""

from typing import Any
from uuid import UUID

from django import forms
from django.db.models import QuerySet
from django.utils.translation import gettext_lazy as _

from portal.tenants.models import Project
from provisioning.claims import MOST_GIB
from provisioning.models import Cluster, Volume
from provisioning.specs import SecretText, VolumeMount
from provisioning.states import SecretKind
from provisioning.volumes import LONGEST_NAME

# Fields that must not travel in an address: an estimate asks by GET.
SECRET_FIELDS = ("secret_variables", "secret_file_name", "secret_file")


class VolumeForm(forms.Form):
    """A new volume: whose, where, how large."""

    name = forms.CharField(label=_("Name"), max_length=LONGEST_NAME)
    project = forms.ModelChoiceField(
        label=_("Project"), queryset=Project.objects.none(), empty_label=None
    )
    cluster = forms.ModelChoiceField(
        label=_("Cluster"),
        queryset=Cluster.objects.none(),
        to_field_name="name",
        empty_label=None,
        help_text=_("Instances with this volume run there and nowhere else."),
    )
    size_gib = forms.IntegerField(
        label=_("Size in GiB"), min_value=1, max_value=MOST_GIB, initial=50
    )

    def __init__(
        self, *args: Any, projects: QuerySet[Project], clusters: QuerySet[Cluster], **kwargs: Any
    ) -> None:
        super().__init__(*args, **kwargs)
        self.fields["project"].queryset = projects  # type: ignore[attr-defined]
        self.fields["cluster"].queryset = clusters  # type: ignore[attr-defined]


class GrowthForm(forms.Form):
    """How large a volume is to be."""

    size_gib = forms.IntegerField(label=_("Size in GiB"), min_value=1, max_value=MOST_GIB)


class Unsaid(forms.Textarea):
    """Text that is sent and never printed back, not even on a form with errors."""

    def format_value(self, value: Any) -> str | None:
        """Print nothing."""
        return ""


class GivenForm(forms.Form):
    """What an instance is given besides its devices: volumes, secrets, a notebook token."""

    secret_variables = forms.CharField(
        label=_("Secret variables"),
        required=False,
        strip=False,
        widget=Unsaid(attrs={"rows": 3, "autocomplete": "off", "spellcheck": "false"}),
        help_text=_("One per line: NAME=value. They are stored encrypted and never shown again."),
    )
    secret_file_name = forms.CharField(label=_("Name of a secret file"), required=False)
    secret_file = forms.CharField(
        label=_("What is in it"),
        required=False,
        strip=False,
        widget=Unsaid(attrs={"rows": 3, "autocomplete": "off", "spellcheck": "false"}),
        help_text=_("The instance finds it in /run/npu-secrets."),
    )
    wants_token = forms.BooleanField(
        label=_("Generate a notebook token (JUPYTER_TOKEN)"),
        required=False,
        help_text=_("A port opened as a notebook's signs its visitors in with it."),
    )

    def offer_volumes(self, volumes: QuerySet[Volume]) -> None:
        """Let each volume be given a path."""
        self.volumes = list(volumes)
        for volume in self.volumes:
            self.fields[_field_of(volume.pk)] = forms.CharField(
                label=volume.name,
                required=False,
                max_length=200,
                widget=forms.TextInput(attrs={"placeholder": "/data"}),
            )

    def volume_fields(self) -> list[tuple[Volume, forms.BoundField]]:
        """The volumes with the fields for their paths, to be printed."""
        return [(volume, self[_field_of(volume.pk)]) for volume in self.volumes]

    def mounts(self) -> tuple[VolumeMount, ...]:
        """The volumes that were given a path."""
        paths = ((v.pk, self.cleaned_data.get(_field_of(v.pk), "")) for v in self.volumes)
        return tuple(VolumeMount(pk, path) for pk, path in paths if path)

    def secrets(self) -> tuple[SecretText, ...]:
        """The secrets in the domain's words."""
        lines = self.cleaned_data["secret_variables"].replace("\r\n", "\n").split("\n")
        given = [
            SecretText(SecretKind.ENV, name.strip(), value)
            for name, _sign, value in (line.partition("=") for line in lines if line.strip())
        ]
        if text := self.cleaned_data["secret_file"]:
            name = self.cleaned_data["secret_file_name"].strip()
            given.append(SecretText(SecretKind.FILE, name, text))
        return tuple(given)


def _field_of(volume_id: UUID) -> str:
    return f"volume_{volume_id}"
