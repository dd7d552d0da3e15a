"""Quotas: how many devices a project may hold, holds, and how it came about."""

import django_filters
from django.db.models import QuerySet
from drf_spectacular.utils import extend_schema
from rest_framework import serializers
from rest_framework.decorators import action
from rest_framework.request import Request
from rest_framework.response import Response

from portal.api import words
from portal.api.resources import Resource, described_only
from portal.quotas import scoping
from portal.quotas.models import Quota, QuotaEntry
from portal.quotas.queries import with_headroom
from portal.tenants.scoping import pick


class QuotaSerializer(serializers.ModelSerializer[Quota]):
    """The ceiling of a project for a family, in devices."""

    project = serializers.IntegerField(source="project_id")
    tenant = serializers.CharField(source="project.tenant.slug")
    family = serializers.CharField(source="family.slug")
    granted = serializers.IntegerField()
    reserved = serializers.IntegerField()
    free = serializers.IntegerField()

    class Meta:
        model = Quota
        fields = ("id", "tenant", "project", "family", "granted", "reserved", "free", "created_at")


class QuotaEntrySerializer(serializers.ModelSerializer[QuotaEntry]):
    """One change of what may still be reserved."""

    kind = serializers.ChoiceField(choices=words.ENTRY_KINDS)

    class Meta:
        model = QuotaEntry
        fields = ("id", "kind", "delta", "instance_id", "quota_request_id", "by", "at", "note")


class QuotaFilter(django_filters.FilterSet):
    """By tenant, project and family."""

    tenant = django_filters.CharFilter(field_name="project__tenant__slug")
    project = django_filters.NumberFilter(field_name="project_id")
    family = django_filters.CharFilter(field_name="family__slug")

    class Meta:
        model = Quota
        fields = ("tenant", "project", "family")


class QuotaViewSet(Resource):
    """Quotas."""

    serializer_class = QuotaSerializer
    filterset_class = QuotaFilter
    lookup_value_converter = "int"

    def get_queryset(self) -> QuerySet[Quota]:
        """Those the caller may see, each with its figures."""
        if described_only(self):
            return Quota.objects.none()
        return with_headroom(scoping.quotas_of(self.caller))

    def list(self, request: Request) -> Response:
        """List quotas."""
        return self.page(self.get_queryset())

    def retrieve(self, request: Request, pk: int) -> Response:
        """Show one quota."""
        return self.answer(pick(self.get_queryset(), pk=pk))

    @extend_schema(responses=QuotaEntrySerializer(many=True), filters=False)
    @action(
        detail=True,
        methods=["get"],
        serializer_class=QuotaEntrySerializer,
        filterset_class=None,
        page_order="-at",
    )
    def entries(self, request: Request, pk: int) -> Response:
        """List the entries of a quota's ledger."""
        return self.page(scoping.quota_for(self.caller, pk).entries.all())
