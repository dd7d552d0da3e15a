"""Members: who belongs to a tenant, in which role."""

import django_filters
from django.db.models import QuerySet
from django.utils import timezone
from drf_spectacular.utils import extend_schema
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response

from portal.api import words
from portal.api.idempotency import idempotent
from portal.api.resources import Resource, described_only
from portal.tenants import joining, scoping
from portal.tenants.access import Action
from portal.tenants.models import Membership


class MemberSerializer(serializers.ModelSerializer[Membership]):
    """A person in a tenant."""

    tenant = serializers.CharField(source="tenant.slug")
    email = serializers.EmailField(source="user.email")
    name = serializers.CharField(source="user.name")
    role = serializers.ChoiceField(choices=words.ROLES)

    class Meta:
        model = Membership
        fields = ("id", "tenant", "email", "name", "role", "created_at")


class NewMemberSerializer(serializers.Serializer[Membership]):
    """What it takes to add somebody who has signed up."""

    tenant = serializers.CharField(max_length=48)
    email = serializers.EmailField()
    role = serializers.ChoiceField(choices=words.ROLES)


class RoleSerializer(serializers.Serializer[Membership]):
    """Another role."""

    role = serializers.ChoiceField(choices=words.ROLES)


class MemberFilter(django_filters.FilterSet):
    """By tenant."""

    tenant = django_filters.CharFilter(field_name="tenant__slug")

    class Meta:
        model = Membership
        fields = ("tenant",)


class MemberViewSet(Resource):
    """Members."""

    serializer_class = MemberSerializer
    filterset_class = MemberFilter
    lookup_value_converter = "int"

    def get_queryset(self) -> QuerySet[Membership]:
        """Those the caller may see."""
        if described_only(self):
            return Membership.objects.none()
        return scoping.members_of(self.caller)

    def list(self, request: Request) -> Response:
        """List members."""
        return self.page(self.get_queryset())

    @extend_schema(request=NewMemberSerializer, responses={201: MemberSerializer})
    @idempotent
    def create(self, request: Request) -> Response:
        """Add somebody who has signed up to a tenant."""
        body = self.read(NewMemberSerializer)
        tenant = scoping.tenant_for(self.caller, body.pop("tenant"), Action.MANAGE_MEMBERS)
        member = joining.add_member(tenant=tenant, **body, by=self.caller, at=timezone.now())
        return self.answer(member, status=201)

    @extend_schema(request=RoleSerializer, responses=MemberSerializer)
    def partial_update(self, request: Request, pk: int) -> Response:
        """Give a member another role."""
        member = scoping.member_for(self.caller, pk, Action.MANAGE_MEMBERS)
        body = self.read(RoleSerializer)
        return self.answer(joining.change_role(membership=member, **body, by=self.caller))

    def destroy(self, request: Request, pk: int) -> Response:
        """Let a member go; everybody may leave."""
        member = scoping.leaving_member_for(self.caller, pk)
        joining.remove_member(membership=member, by=self.caller)
        return Response(status=204)
