"""Tenant images: what a tenant may start besides the images on offer to all."""

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
from portal.tenants.scoping import reach
from provisioning import images
from provisioning.models import TenantImage


class TenantImageSerializer(serializers.ModelSerializer[TenantImage]):
    """A pattern of image references one tenant may start."""

    tenant = serializers.CharField(source="tenant_slug")

    class Meta:
        model = TenantImage
        fields = ("id", "tenant", "pattern", "note", "allowed_at")


class NewTenantImageSerializer(serializers.Serializer[TenantImage]):
    """What is allowed, and to whom."""

    tenant = serializers.CharField(max_length=48)
    pattern = serializers.CharField(max_length=300)
    note = serializers.CharField(max_length=200, default="", allow_blank=True)


class TenantImageFilter(django_filters.FilterSet):
    """By tenant."""

    tenant = TenantFilter("tenant_id")

    class Meta:
        model = TenantImage
        fields = ("tenant",)


class TenantImageViewSet(Resource):
    """Tenant images."""

    serializer_class = TenantImageSerializer
    filterset_class = TenantImageFilter
    lookup_value_converter = "int"
    page_order = "-allowed_at"

    def get_queryset(self) -> QuerySet[TenantImage]:
        """Those in force that the caller may see."""
        if described_only(self):
            return TenantImage.objects.none()
        return scoping.tenant_images_of(self.caller)

    def list(self, request: Request) -> Response:
        """List what tenants may start of their own."""
        return self.page(self.get_queryset())

    @extend_schema(request=NewTenantImageSerializer, responses={201: TenantImageSerializer})
    @idempotent
    def create(self, request: Request) -> Response:
        """Let a tenant start images of its own: operators."""
        scoping.require_staff(self.caller, Action.MANAGE_TENANT_IMAGE)
        body = self.read(NewTenantImageSerializer)
        tenant = scoping.tenant_for(self.caller, body.pop("tenant"))
        allowed = images.allow_image(
            tenant_id=tenant.pk, **body, by=self.caller.email, at=timezone.now()
        )
        return self.answer(self.get_queryset().get(pk=allowed.pk), status=201)

    @extend_schema(request=None, responses={204: None})
    @action(detail=True, methods=["post"])
    def withdraw(self, request: Request, pk: int) -> Response:
        """Let them be started no more; what runs, runs on."""
        action_, view = Action.MANAGE_TENANT_IMAGE, Action.VIEW_TENANT_IMAGE
        image = reach(scoping.tenant_images_of, self.caller, action_, view=view, pk=pk)
        images.withdraw_image(image=image, by=self.caller.email, at=timezone.now())
        return Response(status=204)
