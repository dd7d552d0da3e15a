"""Accounts: who is billed."""

from django.db.models import QuerySet
from django_filters import FilterSet
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response

from billing.models import Account
from portal.api.resources import Resource, TenantFilter, described_only
from portal.tenants import scoping


class AccountSerializer(serializers.ModelSerializer[Account]):
    """The party billed for a tenant's use."""

    tenant = serializers.CharField(source="tenant_slug")

    class Meta:
        model = Account
        fields = ("id", "tenant", "name", "currency", "timezone", "created_at")


class AccountFilter(FilterSet):
    """By tenant."""

    tenant = TenantFilter("tenant_id")

    class Meta:
        model = Account
        fields = ("tenant",)


class AccountViewSet(Resource):
    """Accounts."""

    serializer_class = AccountSerializer
    filterset_class = AccountFilter
    lookup_value_converter = "int"

    def get_queryset(self) -> QuerySet[Account]:
        """Those the caller may see."""
        return Account.objects.none() if described_only(self) else scoping.accounts_of(self.caller)

    def list(self, request: Request) -> Response:
        """List accounts."""
        return self.page(self.get_queryset())

    def retrieve(self, request: Request, pk: int) -> Response:
        """Show one account."""
        return self.answer(scoping.account_for(self.caller, pk))
