"""Pools: the devices of one family on one cluster, and where their exporter is asked."""

from typing import Any

import django_filters
from django.db.models import QuerySet
from django.utils import timezone
from drf_spectacular.utils import extend_schema, extend_schema_field
from rest_framework import serializers
from rest_framework.decorators import action
from rest_framework.request import Request
from rest_framework.response import Response

from portal.api import words
from portal.api.resources import Resource, described_only
from portal.tenants import scoping
from portal.tenants.access import Action
from provisioning import pointing
from provisioning.models import Pool


class ExporterSerializer(serializers.Serializer[Any]):
    """Where an exporter is asked: a namespace, the labels of its pods, a port."""

    namespace = serializers.RegexField(rf"\A{pointing.NAMESPACE.pattern}\Z", max_length=63)
    selector = serializers.RegexField(
        rf"\A{pointing.SELECTOR.pattern}\Z", max_length=pointing.LONGEST_SELECTOR
    )
    port = serializers.IntegerField(min_value=1, max_value=pointing.LAST_PORT)


class PoolSerializer(serializers.ModelSerializer[Pool]):
    """One family's devices under one name on one cluster."""

    cluster = serializers.CharField(source="cluster.name")
    family = serializers.CharField(source="family.slug")
    allocation = serializers.ChoiceField(choices=words.ALLOCATION_MODES)
    exporter = serializers.SerializerMethodField()
    heard_at = serializers.DateTimeField(allow_null=True)

    class Meta:
        model = Pool
        fields = (
            "id",
            "cluster",
            "family",
            "resource_name",
            "allocation",
            "exporter",
            "heard_at",
        )

    @extend_schema_field(ExporterSerializer(allow_null=True))
    def get_exporter(self, pool: Pool) -> dict[str, Any] | None:
        """Where its exporter is asked, if anywhere."""
        return pool.exporter or None


class PointingSerializer(serializers.Serializer[Any]):
    """Where the exporter is asked from now on; null for nowhere."""

    exporter = ExporterSerializer(allow_null=True)


class ProposalSerializer(serializers.Serializer[Any]):
    """Pods that look like the exporter of a pool's devices, and how many there are."""

    namespace = serializers.CharField()
    selector = serializers.CharField()
    port = serializers.IntegerField()
    pods = serializers.IntegerField()


class PoolFilter(django_filters.FilterSet):
    """By cluster and family."""

    cluster = django_filters.CharFilter(field_name="cluster__name")
    family = django_filters.CharFilter(field_name="family__slug")

    class Meta:
        model = Pool
        fields = ("cluster", "family")


class PoolViewSet(Resource):
    """Pools."""

    serializer_class = PoolSerializer
    filterset_class = PoolFilter
    lookup_value_converter = "int"
    page_order = "resource_name"

    def get_queryset(self) -> QuerySet[Pool]:
        """All of them, to those who may see clusters."""
        if described_only(self):
            return Pool.objects.none()
        scoping.require_staff(self.caller, Action.VIEW_CLUSTER)
        return pointing.pools_heard()

    def list(self, request: Request) -> Response:
        """List pools."""
        return self.page(self.get_queryset())

    @extend_schema(request=PointingSerializer, responses=PoolSerializer)
    def partial_update(self, request: Request, pk: int) -> Response:
        """Say where its exporter is asked from now on, or nowhere."""
        pool = self._managed(pk)
        where = self.read(PointingSerializer)["exporter"]
        if where is None:
            pointing.unpoint_pool(pool=pool, at=timezone.now())
        else:
            pointing.point_pool(pool=pool, **where)
        return self.answer(self._managed(pk))

    @extend_schema(responses=ProposalSerializer(many=True), filters=False)
    @action(detail=True, methods=["get"], pagination_class=None)
    def exporters(self, request: Request, pk: int) -> Response:
        """Look on the cluster for pods with the labels its vendor is known to use."""
        found = pointing.find_exporters(pool=self._managed(pk))
        return Response(ProposalSerializer(found, many=True).data)

    def _managed(self, pk: int) -> Pool:
        scoping.require_staff(self.caller, Action.MANAGE_CLUSTER)
        return scoping.pick(pointing.pools_heard(), pk=pk)
