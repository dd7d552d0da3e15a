"""Nodes and devices: how they are, who holds what since when, and taking them out of sale."""

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
from portal.api.resources import Resource, described_only
from portal.tenants import scoping
from portal.tenants.access import Action
from provisioning import freshness, inventory, selling
from provisioning.inventory import HeldDevice, NodeView, PoolOnNode
from provisioning.models import Device, Node


class DeviceSerializer(serializers.ModelSerializer[Device]):
    """One device of one node; `health` is the cluster's word, `metric_health` the exporter's."""

    cluster = serializers.CharField(source="node.cluster.name")
    node = serializers.IntegerField(source="node_id")
    node_name = serializers.CharField(source="node.name")
    resource_name = serializers.CharField(source="pool.resource_name")
    family = serializers.CharField(source="pool.family.slug")
    health = serializers.ChoiceField(choices=words.HEALTHS)
    metric_health = serializers.ChoiceField(choices=words.HEALTHS)

    class Meta:
        model = Device
        fields = (
            "id",
            "cluster",
            "node",
            "node_name",
            "resource_name",
            "family",
            "device_id",
            "health",
            "health_since",
            "metric_health",
            "metric_seen_at",
            "stopped_at",
            "stopped_by",
            "stop_reason",
            "first_seen_at",
        )


class HolderSerializer(serializers.Serializer[HeldDevice]):
    """A device of a node, and the instance that holds it."""

    device = DeviceSerializer()
    instance_id = serializers.UUIDField(source="holder.pk", default=None, allow_null=True)
    tenant_id = serializers.IntegerField(source="holder.tenant_id", default=None, allow_null=True)
    since = serializers.DateTimeField(allow_null=True)


class PoolOnNodeSerializer(serializers.Serializer[PoolOnNode]):
    """One family's devices on a node, in numbers."""

    resource_name = serializers.CharField(source="pool.resource_name")
    family = serializers.CharField(source="pool.family.slug")
    total = serializers.IntegerField()
    healthy = serializers.IntegerField()
    held = serializers.IntegerField()
    free = serializers.IntegerField()


class NodeSerializer(serializers.ModelSerializer[Node]):
    """One node, whether it is for sale, and how old our knowledge of it is."""

    cluster = serializers.CharField(source="cluster.name")
    state_age_seconds = serializers.SerializerMethodField()

    class Meta:
        model = Node
        fields: tuple[str, ...] = (
            "id",
            "cluster",
            "name",
            "is_ready",
            "is_schedulable",
            "stopped_at",
            "stopped_by",
            "stop_reason",
            "seen_at",
            "state_age_seconds",
        )

    def get_state_age_seconds(self, node: Node) -> float | None:
        """Seconds since the watcher last heard from its cluster."""
        return freshness.age_of(node.cluster, at=timezone.now())


class NodeDetailSerializer(serializers.Serializer[NodeView]):
    """One node with its pools, its devices and their holders."""

    node = NodeSerializer()
    is_for_sale = serializers.BooleanField()
    pools = PoolOnNodeSerializer(many=True)
    devices = HolderSerializer(many=True)


class StopSaleSerializer(serializers.Serializer[Any]):
    """Why it is taken out of sale."""

    reason = serializers.CharField(max_length=300)


class NodeFilter(django_filters.FilterSet):
    """By cluster, and by whether it is ready."""

    cluster = django_filters.CharFilter(field_name="cluster__name")

    class Meta:
        model = Node
        fields = ("cluster", "is_ready")


class DeviceFilter(django_filters.FilterSet):
    """By cluster, node and health."""

    cluster = django_filters.CharFilter(field_name="node__cluster__name")
    health = django_filters.ChoiceFilter(choices=[(each, each) for each in words.HEALTHS])

    class Meta:
        model = Device
        fields = ("cluster", "node", "health")


class NodeViewSet(Resource):
    """Nodes."""

    serializer_class = NodeSerializer
    filterset_class = NodeFilter
    lookup_value_converter = "int"
    page_order = "name"

    def get_queryset(self) -> QuerySet[Node]:
        """Those that are there, to those who may see clusters."""
        if described_only(self):
            return Node.objects.none()
        scoping.require_staff(self.caller, Action.VIEW_CLUSTER)
        return inventory.present_nodes().order_by("pk")

    def list(self, request: Request) -> Response:
        """List nodes."""
        return self.page(self.get_queryset())

    @extend_schema(responses=NodeDetailSerializer)
    def retrieve(self, request: Request, pk: int) -> Response:
        """Show one node with its devices and who holds them."""
        node = scoping.pick(self.get_queryset(), pk=pk)
        view = inventory.looked_at([node], at=timezone.now())[0]
        return Response(NodeDetailSerializer(view).data)

    @extend_schema(request=StopSaleSerializer, responses=NodeSerializer)
    @action(detail=True, methods=["post"], url_path="stop-sale")
    def stop_sale(self, request: Request, pk: int) -> Response:
        """Place nothing more on it; what runs, runs on."""
        node = self._managed(pk)
        body = self.read(StopSaleSerializer)
        selling.stop_node(node=node, **body, by=self.caller.email, at=timezone.now())
        return self.answer(self._managed(pk))

    @extend_schema(request=None, responses=NodeSerializer)
    @action(detail=True, methods=["post"], url_path="resume-sale")
    def resume_sale(self, request: Request, pk: int) -> Response:
        """Place on it again."""
        selling.resume_node(node=self._managed(pk), at=timezone.now())
        return self.answer(self._managed(pk))

    def _managed(self, pk: int) -> Node:
        scoping.require_staff(self.caller, Action.MANAGE_CLUSTER)
        return scoping.pick(inventory.present_nodes(), pk=pk)


class DeviceViewSet(Resource):
    """Devices."""

    serializer_class = DeviceSerializer
    filterset_class = DeviceFilter
    lookup_value_converter = "int"
    page_order = "first_seen_at"

    def get_queryset(self) -> QuerySet[Device]:
        """Those somebody has named, to those who may see clusters."""
        if described_only(self):
            return Device.objects.none()
        scoping.require_staff(self.caller, Action.VIEW_CLUSTER)
        return Device.objects.select_related("node__cluster", "pool__family")

    def list(self, request: Request) -> Response:
        """List devices."""
        return self.page(self.get_queryset())

    @extend_schema(request=StopSaleSerializer, responses=DeviceSerializer)
    @action(detail=True, methods=["post"], url_path="stop-sale")
    def stop_sale(self, request: Request, pk: int) -> Response:
        """Count it as not free."""
        device = self._managed(pk)
        body = self.read(StopSaleSerializer)
        selling.stop_device(device=device, **body, by=self.caller.email, at=timezone.now())
        return self.answer(self._managed(pk))

    @extend_schema(request=None, responses=DeviceSerializer)
    @action(detail=True, methods=["post"], url_path="resume-sale")
    def resume_sale(self, request: Request, pk: int) -> Response:
        """Sell it again."""
        selling.resume_device(device=self._managed(pk), at=timezone.now())
        return self.answer(self._managed(pk))

    def _managed(self, pk: int) -> Device:
        scoping.require_staff(self.caller, Action.MANAGE_CLUSTER)
        return scoping.pick(self.get_queryset(), pk=pk)
