"""Tenants: the ones I belong to, and a new one of mine."""

from django.db.models import QuerySet
from django.utils import timezone
from drf_spectacular.utils import extend_schema
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response

from portal.api.callers import whole_caller
from portal.api.idempotency import idempotent
from portal.api.resources import Resource, described_only
from portal.tenants import onboarding, scoping
from portal.tenants.models import Tenant


class TenantSerializer(serializers.ModelSerializer[Tenant]):
    """An organisation that signs and pays."""

    class Meta:
        model = Tenant
        fields = ("id", "slug", "name", "created_at")


class NewTenantSerializer(serializers.Serializer[Tenant]):
    """What it takes to open a tenant."""

    name = serializers.CharField(max_length=120)
    slug = serializers.CharField(max_length=48, required=False)


class TenantViewSet(Resource):
    """Tenants."""

    serializer_class = TenantSerializer
    lookup_field = "slug"
    lookup_value_converter = "slug"

    def get_queryset(self) -> QuerySet[Tenant]:
        """Those the caller may see."""
        return Tenant.objects.none() if described_only(self) else scoping.tenants_of(self.caller)

    def list(self, request: Request) -> Response:
        """List tenants."""
        return self.page(self.get_queryset())

    def retrieve(self, request: Request, slug: str) -> Response:
        """Show one tenant."""
        return self.answer(scoping.tenant_for(self.caller, slug))

    @extend_schema(request=NewTenantSerializer, responses={201: TenantSerializer})
    @idempotent
    def create(self, request: Request) -> Response:
        """Open a tenant, with the caller as its owner."""
        body = self.read(NewTenantSerializer)
        tenant = onboarding.open_tenant(**body, owner=whole_caller(request), at=timezone.now())
        return self.answer(tenant, status=201)
