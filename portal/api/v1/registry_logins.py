"""Registry logins: what a tenant's own images are pulled with."""

import django_filters
from django.db.models import QuerySet
from django.utils import timezone
from drf_spectacular.utils import extend_schema
from rest_framework import serializers
from rest_framework.decorators import action
from rest_framework.request import Request
from rest_framework.response import Response

from portal.api.idempotency import idempotent
from portal.api.resources import Resource, TenantFilter, described_only
from portal.tenants import scoping
from portal.tenants.access import Action
from provisioning import registries
from provisioning.models import RegistryLogin
from provisioning.registries import LONGEST_HOST, LONGEST_USERNAME, MOST_PASSWORD_BYTES


class RegistryLoginSerializer(serializers.ModelSerializer[RegistryLogin]):
    """A login to one registry; its password is shown to nobody."""

    tenant = serializers.CharField(source="tenant_slug")

    class Meta:
        model = RegistryLogin
        fields = ("id", "tenant", "host", "username", "created_by", "created_at")


class NewRegistryLoginSerializer(serializers.Serializer[RegistryLogin]):
    """Whose it is, where it counts, and what is said there."""

    tenant = serializers.CharField(max_length=48)
    host = serializers.CharField(max_length=LONGEST_HOST + len(":65535"))
    username = serializers.CharField(max_length=LONGEST_USERNAME)
    password = serializers.CharField(
        max_length=MOST_PASSWORD_BYTES, write_only=True, trim_whitespace=False
    )


class RegistryLoginFilter(django_filters.FilterSet):
    """By tenant, or by registry."""

    tenant = TenantFilter("tenant_id")

    class Meta:
        model = RegistryLogin
        fields = ("tenant", "host")


class RegistryLoginViewSet(Resource):
    """Registry logins."""

    serializer_class = RegistryLoginSerializer
    filterset_class = RegistryLoginFilter
    lookup_value_converter = "int"

    def get_queryset(self) -> QuerySet[RegistryLogin]:
        """Those in force that the caller may see."""
        if described_only(self):
            return RegistryLogin.objects.none()
        return scoping.registry_logins_of(self.caller)

    def list(self, request: Request) -> Response:
        """List the logins there are, without their passwords."""
        return self.page(self.get_queryset())

    @extend_schema(request=NewRegistryLoginSerializer, responses={201: RegistryLoginSerializer})
    @idempotent
    def create(self, request: Request) -> Response:
        """Store a login, in the place of the one to the same registry: owners, operators."""
        body = self.read(NewRegistryLoginSerializer)
        tenant = scoping.tenant_for(self.caller, body.pop("tenant"), Action.MANAGE_REGISTRY_LOGIN)
        login = registries.store_login(
            tenant_id=tenant.pk, **body, by=self.caller.email, at=timezone.now()
        )
        return self.answer(self.get_queryset().get(pk=login.pk), status=201)

    @extend_schema(request=None, responses={204: None})
    @action(detail=True, methods=["post"])
    def remove(self, request: Request, pk: int) -> Response:
        """Forget a login; what runs, runs on, and nothing new is pulled with it."""
        login = scoping.registry_login_for(self.caller, pk, Action.MANAGE_REGISTRY_LOGIN)
        registries.remove_login(login=login, by=self.caller.email, at=timezone.now())
        return Response(status=204)
