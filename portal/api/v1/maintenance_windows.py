"""Maintenance windows: planned, looked at before they are, and called off by operators."""

from typing import Any

import django_filters
from django.db.models import QuerySet
from django.utils import timezone
from drf_spectacular.utils import extend_schema
from rest_framework import serializers
from rest_framework.decorators import action
from rest_framework.request import Request
from rest_framework.response import Response

from portal.api import words
from portal.api.idempotency import idempotent
from portal.api.resources import InstantField, Resource, described_only
from portal.tenants import scoping
from portal.tenants.access import Action
from provisioning import inventory, maintaining
from provisioning.models import Cluster, MaintenanceWindow


class WindowSerializer(serializers.ModelSerializer[MaintenanceWindow]):
    """From when to when, where, why; without nodes it is the whole cluster's."""

    cluster = serializers.CharField(source="cluster.name")
    nodes: Any = serializers.SlugRelatedField("name", many=True, read_only=True)
    policy = serializers.ChoiceField(choices=words.MAINTENANCE_POLICIES)

    class Meta:
        model = MaintenanceWindow
        fields = (
            "id",
            "cluster",
            "nodes",
            "starts_at",
            "ends_at",
            "reason",
            "policy",
            "grace_minutes",
            "planned_at",
            "planned_by",
            "begun_at",
            "ended_at",
            "cancelled_at",
        )


class NewWindowSerializer(serializers.Serializer[Any]):
    """A window to be planned; nodes by their ids."""

    cluster = serializers.CharField(max_length=40)
    nodes = serializers.ListField(child=serializers.IntegerField(), default=list, max_length=1000)
    starts_at = InstantField()
    ends_at = InstantField()
    reason = serializers.CharField(max_length=300)
    policy = serializers.ChoiceField(choices=words.MAINTENANCE_POLICIES, default="wait")
    grace_minutes = serializers.IntegerField(min_value=0, max_value=1440, default=0)


class AffectedSerializer(serializers.Serializer[Any]):
    """One instance in the way, and whether its lease ends before the window opens.

    A bound one is not moved: its volumes are on the cluster, and no other node of it would do.
    """

    instance_id = serializers.UUIDField(source="instance.pk")
    tenant_id = serializers.IntegerField(source="instance.tenant_id")
    name = serializers.CharField(source="instance.name")
    ends_at = serializers.DateTimeField(source="instance.ends_at", allow_null=True)
    node_name = serializers.CharField()
    is_gone_by_then = serializers.BooleanField()
    is_bound = serializers.BooleanField()


class WindowFilter(django_filters.FilterSet):
    """By cluster."""

    cluster = django_filters.CharFilter(field_name="cluster__name")

    class Meta:
        model = MaintenanceWindow
        fields = ("cluster",)


class MaintenanceWindowViewSet(Resource):
    """Maintenance windows."""

    serializer_class = WindowSerializer
    filterset_class = WindowFilter
    lookup_value_converter = "int"
    page_order = "-starts_at"

    def get_queryset(self) -> QuerySet[MaintenanceWindow]:
        """All of them, to those who may see clusters."""
        if described_only(self):
            return MaintenanceWindow.objects.none()
        scoping.require_staff(self.caller, Action.VIEW_CLUSTER)
        return MaintenanceWindow.objects.select_related("cluster").prefetch_related("nodes")

    def list(self, request: Request) -> Response:
        """List windows, the latest first."""
        return self.page(self.get_queryset())

    @extend_schema(request=NewWindowSerializer, responses={201: WindowSerializer})
    @idempotent
    def create(self, request: Request) -> Response:
        """Plan a window; those who run there are told."""
        scoping.require_staff(self.caller, Action.MANAGE_CLUSTER)
        planned = maintaining.plan_window(
            **self._named(self.read(NewWindowSerializer)),
            by=self.caller.email,
            at=timezone.now(),
        )
        return self.answer(planned, status=201)

    @extend_schema(request=None, responses=WindowSerializer)
    @action(detail=True, methods=["post"])
    def cancel(self, request: Request, pk: int) -> Response:
        """Call a window off; those who were told of it are told."""
        scoping.require_staff(self.caller, Action.MANAGE_CLUSTER)
        window = scoping.pick(self.get_queryset(), pk=pk)
        maintaining.cancel_window(window=window, by=self.caller.email, at=timezone.now())
        return self.answer(scoping.pick(self.get_queryset(), pk=pk))

    @extend_schema(responses=AffectedSerializer(many=True), filters=False)
    @action(detail=True, methods=["get"], pagination_class=None, filterset_class=None)
    def affected(self, request: Request, pk: int) -> Response:
        """List what still runs where the window is."""
        window = scoping.pick(self.get_queryset(), pk=pk)
        found = maintaining.affected_by(
            cluster=window.cluster, nodes=list(window.nodes.all()), starts_at=window.starts_at
        )
        return Response(AffectedSerializer(found, many=True).data)

    def _named(self, body: dict[str, Any]) -> dict[str, Any]:
        cluster = scoping.pick(Cluster.objects.all(), name=body["cluster"])
        wanted = set(body["nodes"])
        nodes = list(inventory.present_nodes().filter(cluster=cluster, pk__in=wanted))
        if len(nodes) != len(wanted):
            raise serializers.ValidationError({"nodes": ["There are no such nodes."]})
        return {**body, "cluster": cluster, "nodes": nodes}
