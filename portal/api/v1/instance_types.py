"""Instance types: what can be asked for, at which price."""

from decimal import Decimal
from typing import Any

import django_filters
from django.db.models import QuerySet
from django.utils import timezone
from drf_spectacular.utils import (
    OpenApiParameter,
    extend_schema,
    extend_schema_field,
    extend_schema_view,
)
from rest_framework import serializers
from rest_framework.decorators import action
from rest_framework.request import Request
from rest_framework.response import Response

from billing import pricing
from billing.models import Account
from portal.api.resources import Resource
from portal.requests import offering
from portal.tenants import scoping
from provisioning.models import Confidence, InstanceType

TENANT = OpenApiParameter("tenant", str, description="Whose prices; else the list's.")


class CardSerializer(serializers.Serializer[Any]):
    """How many devices a card shows; `confidence` says how well that is known."""

    product = serializers.CharField()
    devices = serializers.IntegerField(allow_null=True)
    confidence = serializers.ChoiceField(choices=Confidence.choices)


class InstanceTypeSerializer(serializers.ModelSerializer[InstanceType]):
    """A size an instance can have; the rate is won per device-hour, without VAT."""

    family = serializers.CharField(source="family.slug")
    vendor = serializers.CharField(source="family.vendor.slug")
    # What one device is, and how many of them one card of a product shows, where that is known.
    unit = serializers.CharField(source="family.unit")
    cards = CardSerializer(source="family.cards", many=True)
    hourly_rate = serializers.SerializerMethodField()

    class Meta:
        model = InstanceType
        fields = (
            "slug",
            "name",
            "family",
            "vendor",
            "device_count",
            "unit",
            "cards",
            "cpu_millicores",
            "memory_mib",
            "storage_gib",
            "sku_code",
            "is_retired",
            "hourly_rate",
        )

    @extend_schema_field(serializers.DecimalField(max_digits=14, decimal_places=4, allow_null=True))
    def get_hourly_rate(self, instance_type: InstanceType) -> str | None:
        """Won per device-hour now; money travels as text, never as a float."""
        rate: Decimal | None = self.context["rates"].get(instance_type.sku_code)
        return None if rate is None else f"{rate:.4f}"


class AskedEstimateSerializer(serializers.Serializer[Any]):
    """How many instances, for how long."""

    hours = serializers.DecimalField(
        max_digits=8, decimal_places=2, min_value=Decimal(0), default=Decimal(1)
    )
    count = serializers.IntegerField(min_value=1, max_value=100, default=1)


class EstimateSerializer(serializers.Serializer[pricing.Estimate]):
    """What it would cost at the present price, in whole won."""

    hourly_rate = serializers.DecimalField(max_digits=14, decimal_places=4)
    net_amount = serializers.IntegerField(source="net")
    tax_amount = serializers.IntegerField(source="tax")
    total_amount = serializers.IntegerField(source="total")


class InstanceTypeFilter(django_filters.FilterSet):
    """By accelerator family."""

    family = django_filters.CharFilter(field_name="family__slug")

    class Meta:
        model = InstanceType
        fields = ("family",)


@extend_schema_view(list=extend_schema(parameters=[TENANT]))
class InstanceTypeViewSet(Resource):
    """Instance types."""

    serializer_class = InstanceTypeSerializer
    filterset_class = InstanceTypeFilter
    lookup_field = "slug"
    lookup_value_converter = "slug"
    page_order = "slug"

    def get_queryset(self) -> QuerySet[InstanceType]:
        """Those on offer: the same to everybody."""
        return offering.offered_types()

    def get_serializer_context(self) -> dict[str, Any]:
        """Read all prices once, not one per row."""
        context = super().get_serializer_context()
        account = self._account()
        rates = offering.rates_by_sku(
            at=timezone.now(), account_id=None if account is None else account.pk
        )
        return {**context, "rates": rates}

    def list(self, request: Request) -> Response:
        """List the instance types on offer."""
        return self.page(self.get_queryset())

    @extend_schema(parameters=[TENANT])
    def retrieve(self, request: Request, slug: str) -> Response:
        """Show one instance type, offered or retired."""
        types = InstanceType.objects.select_related("family__vendor")
        return self.answer(scoping.pick(types, slug=slug))

    @extend_schema(
        parameters=[
            OpenApiParameter("tenant", str, required=True, description="Whose prices."),
            AskedEstimateSerializer,
        ],
        responses=EstimateSerializer,
        filters=False,
    )
    @action(detail=True, methods=["get"])
    def estimate(self, request: Request, slug: str) -> Response:
        """Say what instances of this type would cost a tenant."""
        instance_type = scoping.pick(self.get_queryset(), slug=slug)
        asked = AskedEstimateSerializer(data=request.query_params)
        asked.is_valid(raise_exception=True)
        wanted = asked.validated_data
        estimate = pricing.estimate_cost(
            account_id=self._account_of(request.query_params.get("tenant", "")).pk,
            sku_code=instance_type.sku_code,
            quantity=instance_type.device_count * wanted["count"],
            hours=wanted["hours"],
            at=timezone.now(),
        )
        return Response(EstimateSerializer(estimate).data)

    def _account(self) -> Account | None:
        slug = self.request.query_params.get("tenant") if self.request else None
        return self._account_of(slug) if slug else None

    def _account_of(self, slug: str) -> Account:
        tenant = scoping.tenant_for(self.caller, slug)
        return scoping.pick(Account.objects.all(), tenant_id=tenant.pk)
