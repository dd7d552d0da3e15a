"""Instances: what runs, what became of it, and what its members do with it."""

from datetime import datetime
from typing import Any
from uuid import UUID

import django_filters
from django.db.models import QuerySet
from django.utils import timezone
from drf_spectacular.utils import OpenApiParameter, extend_schema, extend_schema_field
from rest_framework import serializers
from rest_framework.decorators import action
from rest_framework.request import Request
from rest_framework.response import Response

from portal.api import words
from portal.api.resources import InstantField, TenantFilter, described_only
from portal.api.v1.instance_access import InstanceAccess
from portal.api.v1.instance_requests import SecretNameSerializer
from portal.requests import operating
from portal.tenants import scoping
from portal.tenants.access import Action
from provisioning import freshness, inventory, queries, reading, waiting
from provisioning.freshness import Freshness
from provisioning.models import Allocation, Attempt, Instance, InstanceVolume, Transition

MOST_LOG_LINES = 5000


class InstanceSerializer(serializers.ModelSerializer[Instance]):
    """What a tenant runs: what is wished of it, what it is, and why."""

    tenant = serializers.CharField(source="tenant_slug")
    project = serializers.IntegerField(source="project_id")
    instance_type = serializers.CharField(source="instance_type.slug")
    family = serializers.CharField(source="instance_type.family.slug")
    desired = serializers.ChoiceField(choices=words.DESIRED)
    state = serializers.ChoiceField(choices=words.INSTANCE_STATES)

    class Meta:
        model = Instance
        fields: tuple[str, ...] = (
            "id",
            "tenant",
            "project",
            "name",
            "instance_type",
            "family",
            "image",
            "device_count",
            "cpu_millicores",
            "memory_mib",
            "storage_gib",
            "sku_code",
            "desired",
            "state",
            "reason",
            "message",
            "state_since",
            "launch_no",
            "attempt_no",
            "ends_at",
            "created_at",
        )


class FreshnessSerializer(serializers.Serializer[Freshness]):
    """The cluster it is on, and since when nothing was heard from there."""

    cluster = serializers.CharField(source="cluster_name")
    state_age_seconds = serializers.FloatField(source="seconds", allow_null=True)
    is_stale = serializers.BooleanField()


class WarnedSerializer(serializers.Serializer[Any]):
    """One thing to know of an instance that runs: since when, or from when to when."""

    code = serializers.CharField()
    at = serializers.DateTimeField()
    until = serializers.DateTimeField(allow_null=True)
    node_name = serializers.CharField()
    device_id = serializers.CharField()
    reason = serializers.CharField()


class MountedVolumeSerializer(serializers.ModelSerializer[InstanceVolume]):
    """A volume the instance has, and where it finds it."""

    volume = serializers.UUIDField(source="volume_id")
    name = serializers.CharField(source="volume.name")

    class Meta:
        model = InstanceVolume
        fields = ("volume", "name", "path")


class InstanceDetailSerializer(InstanceSerializer):
    """An instance by itself: with what lies ahead of it, while it waits in the queue."""

    queue_position = serializers.SerializerMethodField()
    expected_start_at = serializers.SerializerMethodField()
    could_start_instead = serializers.SerializerMethodField()
    volumes = MountedVolumeSerializer(many=True)
    secrets = SecretNameSerializer(many=True)
    seen = serializers.SerializerMethodField()
    warnings = serializers.SerializerMethodField()

    class Meta(InstanceSerializer.Meta):
        fields = (
            *InstanceSerializer.Meta.fields,
            "queue_position",
            "expected_start_at",
            "could_start_instead",
            "seen",
            "warnings",
            "volumes",
            "secrets",
        )

    def get_queue_position(self, instance: Instance) -> int | None:
        """Its place among those waiting for the same family, from 1."""
        return queries.queue_position(instance)

    def get_expected_start_at(self, instance: Instance) -> datetime | None:
        """When its turn comes if every lease runs to its end; null where nobody can tell."""
        prospect = waiting.prospect_of(instance, at=timezone.now())
        return prospect.starts_at if prospect else None

    def get_could_start_instead(self, instance: Instance) -> list[str]:
        """Instance types with as many devices that have room now, while this one waits."""
        found = waiting.substitutes_of(instance, at=timezone.now())
        return [each.instance_type.slug for each in found]

    @extend_schema_field(WarnedSerializer(many=True))
    def get_warnings(self, instance: Instance) -> list[Any]:
        """Unhealthy devices, a silent node, and maintenance where it runs."""
        found = inventory.warnings_of(instance, at=timezone.now())
        return list(WarnedSerializer(found, many=True).data)

    @extend_schema_field(FreshnessSerializer(allow_null=True))
    def get_seen(self, instance: Instance) -> dict[str, Any] | None:
        """How old what we know of it is; null while it is on no cluster."""
        found = freshness.of_instance(instance, at=timezone.now())
        return FreshnessSerializer(found).data if found else None


class TransitionSerializer(serializers.ModelSerializer[Transition]):
    """One change of state, and why we concluded it."""

    from_state = serializers.CharField()
    to_state = serializers.ChoiceField(choices=words.INSTANCE_STATES)

    class Meta:
        model = Transition
        fields = ("from_state", "to_state", "reason", "message", "attempt_no", "at")


class AllocationSerializer(serializers.ModelSerializer[Allocation]):
    """One device, and from when to when it served the instance."""

    class Meta:
        model = Allocation
        fields = ("node_name", "resource_name", "device_id", "started_at", "ended_at")


class AttemptSerializer(serializers.ModelSerializer[Attempt]):
    """One try to run the instance: one pod of one cluster."""

    cluster = serializers.CharField(source="cluster.name")
    state = serializers.ChoiceField(choices=words.ATTEMPT_STATES)

    class Meta:
        model = Attempt
        fields = (
            "no",
            "cluster",
            "namespace",
            "pod_name",
            "uid",
            "state",
            "intended_at",
            "created_at",
            "gone_at",
        )


class LogsSerializer(serializers.Serializer[Instance]):
    """The last lines the instance printed."""

    text = serializers.CharField()


class LeaseSerializer(serializers.Serializer[Instance]):
    """Until when it may run."""

    ends_at = InstantField()


class TailSerializer(serializers.Serializer[Instance]):
    """How many lines."""

    tail = serializers.IntegerField(min_value=1, max_value=MOST_LOG_LINES, default=200)


class InstanceFilter(django_filters.FilterSet):
    """By tenant, project, state and what is wished."""

    tenant = TenantFilter("tenant_id")
    project = django_filters.NumberFilter(field_name="project_id")
    state = django_filters.MultipleChoiceFilter(
        choices=[(each, each) for each in words.INSTANCE_STATES]
    )
    desired = django_filters.ChoiceFilter(choices=[(each, each) for each in words.DESIRED])

    class Meta:
        model = Instance
        fields = ("tenant", "project", "state", "desired")


class InstanceViewSet(InstanceAccess):
    """Instances."""

    serializer_class = InstanceSerializer
    filterset_class = InstanceFilter
    lookup_value_converter = "uuid"

    def get_queryset(self) -> QuerySet[Instance]:
        """Those the caller may see."""
        if described_only(self):
            return Instance.objects.none()
        return scoping.instances_of(self.caller)

    def list(self, request: Request) -> Response:
        """List instances."""
        return self.page(self.get_queryset())

    @extend_schema(responses=InstanceDetailSerializer)
    def retrieve(self, request: Request, pk: UUID) -> Response:
        """Show one instance."""
        return self._detail(scoping.instance_for(self.caller, pk))

    @extend_schema(request=None, responses={202: InstanceDetailSerializer})
    @action(detail=True, methods=["post"])
    def stop(self, request: Request, pk: UUID) -> Response:
        """Wish that it stops; it may be started again."""
        instance = self._operated(pk)
        stopped = operating.stop_instance(instance=instance, at=timezone.now())
        return self._detail(stopped, status=202)

    @extend_schema(request=None, responses={202: InstanceDetailSerializer})
    @action(detail=True, methods=["post"])
    def start(self, request: Request, pk: UUID) -> Response:
        """Wish that a stopped or failed one runs again."""
        instance = self._operated(pk)
        started = operating.start_instance(instance=instance, by=self.caller, at=timezone.now())
        return self._detail(started, status=202)

    @extend_schema(request=None, responses={202: InstanceDetailSerializer})
    @action(detail=True, methods=["post"])
    def terminate(self, request: Request, pk: UUID) -> Response:
        """Wish that it goes for good."""
        instance = self._operated(pk)
        terminated = operating.terminate_instance(instance=instance, at=timezone.now())
        return self._detail(terminated, status=202)

    @extend_schema(request=None, responses={202: InstanceDetailSerializer})
    @action(detail=True, methods=["post"])
    def move(self, request: Request, pk: UUID) -> Response:
        """Wish that it gives up its devices for others; it may have to wait for a place."""
        moved = operating.move_instance(instance=self._operated(pk), at=timezone.now())
        return self._detail(moved, status=202)

    @extend_schema(request=LeaseSerializer, responses=InstanceDetailSerializer)
    @action(detail=True, methods=["post"])
    def extend(self, request: Request, pk: UUID) -> Response:
        """Move the end of its lease."""
        instance = self._operated(pk)
        body = self.read(LeaseSerializer)
        return self._detail(operating.extend_lease(instance=instance, **body, at=timezone.now()))

    @extend_schema(responses=TransitionSerializer(many=True), filters=False)
    @action(detail=True, methods=["get"], pagination_class=None)
    def timeline(self, request: Request, pk: UUID) -> Response:
        """List its changes of state, oldest first."""
        changes = queries.timeline(scoping.instance_for(self.caller, pk))
        return Response(TransitionSerializer(changes, many=True).data)

    @extend_schema(responses=AttemptSerializer(many=True), filters=False)
    @action(detail=True, methods=["get"], pagination_class=None)
    def attempts(self, request: Request, pk: UUID) -> Response:
        """List the tries to run it, oldest first."""
        attempts = queries.attempts_of(scoping.instance_for(self.caller, pk))
        return Response(AttemptSerializer(attempts, many=True).data)

    @extend_schema(responses=AllocationSerializer(many=True), filters=False)
    @action(detail=True, methods=["get"], pagination_class=None)
    def devices(self, request: Request, pk: UUID) -> Response:
        """List the devices it holds and held."""
        devices = queries.devices_of(scoping.instance_for(self.caller, pk))
        return Response(AllocationSerializer(devices, many=True).data)

    @extend_schema(
        parameters=[OpenApiParameter("tail", {"type": "integer", "minimum": 1, "maximum": 5000})],
        responses=LogsSerializer,
        filters=False,
    )
    @action(detail=True, methods=["get"])
    def logs(self, request: Request, pk: UUID) -> Response:
        """Show the last lines it printed."""
        instance = scoping.instance_for(self.caller, pk, Action.READ_LOGS)
        asked = TailSerializer(data=request.query_params)
        asked.is_valid(raise_exception=True)
        return Response({"text": reading.read_logs(instance=instance, **asked.validated_data)})

    def _operated(self, pk: UUID) -> Instance:
        return scoping.instance_for(self.caller, pk, Action.OPERATE_INSTANCE)

    def _detail(self, instance: Instance, *, status: int = 200) -> Response:
        return Response(InstanceDetailSerializer(instance).data, status=status)
