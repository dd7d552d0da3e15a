"""Rates: what a device-hour of a SKU costs, from when to when; for finance."""

from datetime import datetime
from decimal import Decimal

import django_filters
from django.db.models import QuerySet
from django.utils import timezone
from drf_spectacular.utils import extend_schema
from rest_framework import serializers
from rest_framework.decorators import action
from rest_framework.request import Request
from rest_framework.response import Response

from billing import pricing
from billing.models import PriceBook, Rate, Sku
from portal.api.idempotency import idempotent
from portal.api.resources import InstantField, Resource, described_only
from portal.tenants import scoping
from portal.tenants.access import Action


class RateSerializer(serializers.ModelSerializer[Rate]):
    """One price: won per device-hour, without VAT."""

    price_book = serializers.IntegerField(source="book_id")
    sku = serializers.CharField(source="sku.code")
    valid_from = serializers.SerializerMethodField()
    valid_until = serializers.SerializerMethodField()

    class Meta:
        model = Rate
        fields = ("id", "price_book", "sku", "hourly_rate", "valid_from", "valid_until")

    def get_valid_from(self, rate: Rate) -> datetime:
        """The first instant it holds."""
        begins: datetime = rate.valid.lower  # type: ignore[assignment] # a constraint says so
        return begins

    def get_valid_until(self, rate: Rate) -> datetime | None:
        """The first instant it holds no more; empty while no end is set."""
        ends: datetime | None = rate.valid.upper
        return ends


class NewRateSerializer(serializers.Serializer[Rate]):
    """What it takes to set a price."""

    price_book = serializers.IntegerField()
    sku = serializers.CharField(max_length=64)
    hourly_rate = serializers.DecimalField(max_digits=14, decimal_places=4, min_value=Decimal(0))
    valid_from = InstantField()
    valid_until = InstantField(required=False, allow_null=True)


class RateEndSerializer(serializers.Serializer[Rate]):
    """When a price ends."""

    valid_until = InstantField()


class RateFilter(django_filters.FilterSet):
    """By price book and SKU."""

    price_book = django_filters.NumberFilter(field_name="book_id")
    sku = django_filters.CharFilter(field_name="sku__code")

    class Meta:
        model = Rate
        fields = ("price_book", "sku")


class RateViewSet(Resource):
    """Rates."""

    serializer_class = RateSerializer
    filterset_class = RateFilter
    lookup_value_converter = "int"
    page_order = "-id"

    def get_queryset(self) -> QuerySet[Rate]:
        """All of them, to those who may see prices."""
        if not described_only(self):
            scoping.require_staff(self.caller, Action.VIEW_PRICES)
        return Rate.objects.select_related("sku")

    def list(self, request: Request) -> Response:
        """List rates."""
        return self.page(self.get_queryset())

    def retrieve(self, request: Request, pk: int) -> Response:
        """Show one rate."""
        return self.answer(scoping.pick(self.get_queryset(), pk=pk))

    @extend_schema(request=NewRateSerializer, responses={201: RateSerializer})
    @idempotent
    def create(self, request: Request) -> Response:
        """Set a price for a time that has none."""
        scoping.require_staff(self.caller, Action.MANAGE_PRICES)
        body = self.read(NewRateSerializer)
        rate = pricing.add_rate(
            book=scoping.pick(PriceBook.objects.all(), pk=body.pop("price_book")),
            sku=scoping.pick(Sku.objects.all(), code=body.pop("sku")),
            at=timezone.now(),
            **body,
        )
        return self.answer(rate, status=201)

    @extend_schema(request=RateEndSerializer, responses=RateSerializer)
    @action(detail=True, methods=["post"])
    def end(self, request: Request, pk: int) -> Response:
        """Let a price end at a future instant."""
        scoping.require_staff(self.caller, Action.MANAGE_PRICES)
        rate = scoping.pick(self.get_queryset(), pk=pk)
        return self.answer(pricing.end_rate(rate=rate, **self.read(RateEndSerializer)))
