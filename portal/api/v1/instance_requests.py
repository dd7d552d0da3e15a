"""Instance requests: launched at once inside the quota, unless a policy holds them."""

from uuid import UUID

import django_filters
from django.db.models import QuerySet
from django.utils import timezone
from drf_spectacular.utils import extend_schema, extend_schema_field
from rest_framework import serializers
from rest_framework.decorators import action
from rest_framework.request import Request
from rest_framework.response import Response

from portal.api import words
from portal.api.idempotency import idempotent
from portal.api.resources import InstantField, Resource, described_only
from portal.api.v1.quota_requests import RejectionSerializer
from portal.requests import approving, submitting
from portal.requests.models import InstanceRequest
from portal.requests.scoping import instance_request_for, instance_requests_of
from portal.requests.wishes import InstanceWish
from portal.tenants import scoping
from portal.tenants.access import Action
from provisioning.specs import SecretText, VolumeMount
from provisioning.states import SecretKind


class MountSerializer(serializers.Serializer[InstanceRequest]):
    """A volume, and the path it is found under."""

    volume = serializers.UUIDField()
    path = serializers.CharField(max_length=200)


class SecretNameSerializer(serializers.Serializer[InstanceRequest]):
    """What a secret is called: the variable's or the file's name."""

    kind = serializers.ChoiceField(choices=words.SECRET_KINDS)
    name = serializers.CharField(max_length=100)


class SecretSerializer(SecretNameSerializer):
    """A secret, said once."""

    value = serializers.CharField(max_length=65_536, trim_whitespace=False, write_only=True)


class InstanceRequestSerializer(serializers.ModelSerializer[InstanceRequest]):
    """A wish for instances, and what became of it."""

    tenant = serializers.CharField(source="project.tenant.slug")
    project = serializers.IntegerField(source="project_id")
    instance_type = serializers.CharField(source="instance_type.slug")
    image = serializers.CharField(source="image.slug", allow_null=True, default=None)
    volumes = serializers.SerializerMethodField()
    secrets = serializers.SerializerMethodField()
    hold_reasons = serializers.ListField(child=serializers.CharField())
    state = serializers.ChoiceField(choices=words.REQUEST_STATES)
    submitted_by = serializers.EmailField(source="submitted_by.email")
    decided_by = serializers.EmailField(source="decided_by.email", allow_null=True, default=None)
    instances = serializers.SerializerMethodField()

    class Meta:
        model = InstanceRequest
        fields = (
            "id",
            "tenant",
            "project",
            "instance_type",
            "image",
            "own_image",
            "volumes",
            "secrets",
            "wants_token",
            "count",
            "name",
            "ends_at",
            "state",
            "hold_reasons",
            "submitted_by",
            "submitted_at",
            "decided_by",
            "decided_at",
            "decision_reason",
            "instances",
        )

    @extend_schema_field({"type": "array", "items": {"type": "string", "format": "uuid"}})
    def get_instances(self, instance_request: InstanceRequest) -> list[UUID]:
        """The instances it launched."""
        return [each.instance_id for each in instance_request.launched_instances.all()]

    @extend_schema_field(MountSerializer(many=True))
    def get_volumes(self, instance_request: InstanceRequest) -> list[dict[str, str]]:
        """The volumes it is to have, and where."""
        return [{"volume": pk, "path": path} for pk, path in instance_request.volumes]

    @extend_schema_field(SecretNameSerializer(many=True))
    def get_secrets(self, instance_request: InstanceRequest) -> list[dict[str, str]]:
        """The names of its secrets; values are shown to nobody."""
        return [{"kind": kind, "name": name} for kind, name in instance_request.secret_names]


class NewInstanceRequestSerializer(serializers.Serializer[InstanceRequest]):
    """What is wished for."""

    project = serializers.IntegerField()
    instance_type = serializers.CharField(max_length=60)
    image = serializers.CharField(max_length=60, default="", allow_blank=True)
    own_image = serializers.CharField(max_length=300, default="", allow_blank=True)
    volumes = MountSerializer(many=True, default=list)
    secrets = SecretSerializer(many=True, default=list)
    wants_token = serializers.BooleanField(default=False)
    count = serializers.IntegerField(default=1)
    name = serializers.CharField(max_length=63, default="", allow_blank=True)
    ends_at = InstantField(default=None, allow_null=True)


class NoteSerializer(serializers.Serializer[InstanceRequest]):
    """What the approver adds."""

    reason = serializers.CharField(max_length=4000, required=False, allow_blank=True)


class InstanceRequestFilter(django_filters.FilterSet):
    """By tenant, project and state."""

    tenant = django_filters.CharFilter(field_name="project__tenant__slug")
    project = django_filters.NumberFilter(field_name="project_id")
    state = django_filters.ChoiceFilter(choices=[(each, each) for each in words.REQUEST_STATES])

    class Meta:
        model = InstanceRequest
        fields = ("tenant", "project", "state")


class InstanceRequestViewSet(Resource):
    """Instance requests."""

    serializer_class = InstanceRequestSerializer
    filterset_class = InstanceRequestFilter
    lookup_value_converter = "uuid"
    page_order = "-submitted_at"

    def get_queryset(self) -> QuerySet[InstanceRequest]:
        """Those the caller may see, each with what it launched."""
        if described_only(self):
            return InstanceRequest.objects.none()
        return instance_requests_of(self.caller).prefetch_related("launched_instances")

    def list(self, request: Request) -> Response:
        """List instance requests."""
        return self.page(self.get_queryset())

    def retrieve(self, request: Request, pk: UUID) -> Response:
        """Show one instance request."""
        return self.answer(instance_request_for(self.caller, pk))

    @extend_schema(request=NewInstanceRequestSerializer, responses={201: InstanceRequestSerializer})
    @idempotent
    def create(self, request: Request) -> Response:
        """Ask for instances: `approved` ones are launching, a `held` one waits for a person."""
        body = self.read(NewInstanceRequestSerializer)
        project = scoping.project_for(self.caller, body["project"], Action.SUBMIT_INSTANCE_REQUEST)
        wish = InstanceWish(
            instance_type_slug=body["instance_type"],
            image_slug=body["image"],
            own_image=body["own_image"],
            volumes=tuple(VolumeMount(each["volume"], each["path"]) for each in body["volumes"]),
            secrets=tuple(
                SecretText(SecretKind(each["kind"]), each["name"], each["value"])
                for each in body["secrets"]
            ),
            wants_token=body["wants_token"],
            count=body["count"],
            name=body["name"],
            ends_at=body["ends_at"],
        )
        instance_request = submitting.submit_instance_request(
            project=project, wish=wish, by=self.caller, at=timezone.now()
        )
        return self.answer(instance_request, status=201)

    @extend_schema(request=NoteSerializer, responses=InstanceRequestSerializer)
    @action(detail=True, methods=["post"])
    def approve(self, request: Request, pk: UUID) -> Response:
        """Let a held request go: its instances are launched."""
        instance_request = instance_request_for(self.caller, pk, Action.DECIDE_INSTANCE_REQUEST)
        approving.approve_request(
            instance_request=instance_request,
            by=self.caller,
            at=timezone.now(),
            **self.read(NoteSerializer),
        )
        return self.answer(instance_request)

    @extend_schema(request=RejectionSerializer, responses=InstanceRequestSerializer)
    @action(detail=True, methods=["post"])
    def reject(self, request: Request, pk: UUID) -> Response:
        """Refuse a held request, with the reason."""
        instance_request = instance_request_for(self.caller, pk, Action.DECIDE_INSTANCE_REQUEST)
        rejected = approving.reject_request(
            instance_request=instance_request,
            by=self.caller,
            at=timezone.now(),
            **self.read(RejectionSerializer),
        )
        return self.answer(rejected)

    @extend_schema(request=None, responses=InstanceRequestSerializer)
    @action(detail=True, methods=["post"])
    def withdraw(self, request: Request, pk: UUID) -> Response:
        """Take a held request back before anybody decides."""
        instance_request = instance_request_for(self.caller, pk, Action.WITHDRAW_INSTANCE_REQUEST)
        return self.answer(
            approving.withdraw_request(
                instance_request=instance_request, by=self.caller, at=timezone.now()
            )
        )
