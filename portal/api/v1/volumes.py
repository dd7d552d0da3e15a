"""Volumes: storage that outlives instances."""

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
from portal.api.resources import InstantField, Resource, TenantFilter, described_only
from portal.requests import storing
from portal.tenants import scoping
from portal.tenants.access import Action
from provisioning import attaching
from provisioning.models import InstanceVolume, Volume


class MountedBySerializer(serializers.ModelSerializer[InstanceVolume]):
    """One instance that finds the volume under a path whenever it runs."""

    instance = serializers.UUIDField(source="instance_id")  # type: ignore[assignment]
    name = serializers.CharField(source="instance.name")
    state = serializers.ChoiceField(source="instance.state", choices=words.INSTANCE_STATES)

    class Meta:
        model = InstanceVolume
        fields = ("instance", "name", "state", "path")


class VolumeSerializer(serializers.ModelSerializer[Volume]):
    """A volume: what is wished of it, and what its cluster says."""

    tenant = serializers.CharField(source="tenant_slug")
    project = serializers.IntegerField(source="project_id")
    cluster = serializers.CharField(source="cluster.name")
    state = serializers.ChoiceField(choices=words.VOLUME_STATES)

    class Meta:
        model = Volume
        fields: tuple[str, ...] = (
            "id",
            "tenant",
            "project",
            "name",
            "size_gib",
            "capacity_gib",
            "cluster",
            "storage_class",
            "state",
            "reason",
            "message",
            "state_since",
            "expires_at",
            "created_at",
            "bound_at",
            "deleted_at",
        )


class VolumeDetailSerializer(VolumeSerializer):
    """A volume by itself: with who mounts it."""

    mounted_by = serializers.SerializerMethodField()

    class Meta(VolumeSerializer.Meta):
        fields = (*VolumeSerializer.Meta.fields, "mounted_by")

    @extend_schema_field(MountedBySerializer(many=True))
    def get_mounted_by(self, volume: Volume) -> list[dict[str, object]]:
        """The instances that have it; while there is one, it cannot be deleted."""
        rows = attaching.users_of(volume)
        return [dict(each) for each in MountedBySerializer(rows, many=True).data]


class NewVolumeSerializer(serializers.Serializer[Volume]):
    """What is wished for."""

    project = serializers.IntegerField()
    cluster = serializers.CharField(max_length=40)
    name = serializers.CharField(max_length=63)
    size_gib = serializers.IntegerField(min_value=1, max_value=65_536)
    expires_at = InstantField(default=None, allow_null=True)


class GrowthSerializer(serializers.Serializer[Volume]):
    """How large it is to be."""

    size_gib = serializers.IntegerField(min_value=1, max_value=65_536)


class ExpirySerializer(serializers.Serializer[Volume]):
    """When it goes by itself; null is never."""

    expires_at = InstantField(allow_null=True)


class VolumeFilter(django_filters.FilterSet):
    """By tenant, project and state."""

    tenant = TenantFilter("tenant_id")
    project = django_filters.NumberFilter(field_name="project_id")
    state = django_filters.MultipleChoiceFilter(
        choices=[(each, each) for each in words.VOLUME_STATES]
    )

    class Meta:
        model = Volume
        fields = ("tenant", "project", "state")


class VolumeViewSet(Resource):
    """Volumes."""

    serializer_class = VolumeSerializer
    filterset_class = VolumeFilter
    lookup_value_converter = "uuid"

    def get_queryset(self) -> QuerySet[Volume]:
        """Those the caller may see."""
        return Volume.objects.none() if described_only(self) else scoping.volumes_of(self.caller)

    def list(self, request: Request) -> Response:
        """List volumes."""
        return self.page(self.get_queryset())

    @extend_schema(responses=VolumeDetailSerializer)
    def retrieve(self, request: Request, pk: UUID) -> Response:
        """Show one volume."""
        return self._detail(pk)

    @extend_schema(request=NewVolumeSerializer, responses={201: VolumeDetailSerializer})
    @idempotent
    def create(self, request: Request) -> Response:
        """Wish for a volume on one cluster, within the project's limit."""
        body = self.read(NewVolumeSerializer)
        project = scoping.project_for(self.caller, body.pop("project"), Action.MANAGE_VOLUME)
        volume = storing.create_volume(
            project=project, cluster_name=body.pop("cluster"), **body, at=timezone.now()
        )
        return self._detail(volume.pk, status=201)

    @extend_schema(request=GrowthSerializer, responses={202: VolumeDetailSerializer})
    @action(detail=True, methods=["post"])
    def grow(self, request: Request, pk: UUID) -> Response:
        """Wish for more room, where its storage can grow."""
        volume = self._managed(pk)
        storing.grow_volume(volume=volume, **self.read(GrowthSerializer), at=timezone.now())
        return self._detail(pk, status=202)

    @extend_schema(request=ExpirySerializer, responses=VolumeDetailSerializer)
    @action(detail=True, methods=["post"])
    def expire(self, request: Request, pk: UUID) -> Response:
        """Let it go by itself at an instant, or never."""
        volume = self._managed(pk)
        storing.move_expiry(volume=volume, **self.read(ExpirySerializer), at=timezone.now())
        return self._detail(pk)

    @extend_schema(request=None, responses={202: VolumeDetailSerializer})
    @action(detail=True, methods=["post"])
    def delete(self, request: Request, pk: UUID) -> Response:
        """Wish that it goes for good, with what is on it; refused while instances have it."""
        storing.delete_volume(volume=self._managed(pk), at=timezone.now())
        return self._detail(pk, status=202)

    def _managed(self, pk: UUID) -> Volume:
        return scoping.volume_for(self.caller, pk, Action.MANAGE_VOLUME)

    def _detail(self, pk: UUID, *, status: int = 200) -> Response:
        volume = scoping.volume_for(self.caller, pk)
        return Response(VolumeDetailSerializer(volume).data, status=status)
