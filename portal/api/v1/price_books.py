"""Price books, and the SKUs they price: for finance."""

from django.db.models import QuerySet
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response

from billing.models import PriceBook, Sku
from portal.api.resources import Resource, described_only
from portal.tenants import scoping
from portal.tenants.access import Action


class PriceBookSerializer(serializers.ModelSerializer[PriceBook]):
    """A dated list of prices."""

    class Meta:
        model = PriceBook
        fields = ("id", "name", "currency", "is_default")


class SkuSerializer(serializers.ModelSerializer[Sku]):
    """A thing that has a price."""

    class Meta:
        model = Sku
        fields = ("id", "code", "name", "meter")


class PriceBookViewSet(Resource):
    """Price books."""

    serializer_class = PriceBookSerializer
    lookup_value_converter = "int"
    page_order = "name"

    def get_queryset(self) -> QuerySet[PriceBook]:
        """All of them, to those who may see prices."""
        if not described_only(self):
            scoping.require_staff(self.caller, Action.VIEW_PRICES)
        return PriceBook.objects.all()

    def list(self, request: Request) -> Response:
        """List price books."""
        return self.page(self.get_queryset())

    def retrieve(self, request: Request, pk: int) -> Response:
        """Show one price book."""
        return self.answer(scoping.pick(self.get_queryset(), pk=pk))


class SkuViewSet(Resource):
    """SKUs."""

    serializer_class = SkuSerializer
    page_order = "code"

    def get_queryset(self) -> QuerySet[Sku]:
        """All of them, to those who may see prices."""
        if not described_only(self):
            scoping.require_staff(self.caller, Action.VIEW_PRICES)
        return Sku.objects.all()

    def list(self, request: Request) -> Response:
        """List SKUs."""
        return self.page(self.get_queryset())
