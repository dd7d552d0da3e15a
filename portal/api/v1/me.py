"""Who I am here, and where I belong."""

from drf_spectacular.utils import extend_schema, extend_schema_field
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.viewsets import ViewSet

from portal.api import words
from portal.api.callers import caller
from portal.tenants import scoping
from portal.tenants.models import Membership, User


class MyTenantSerializer(serializers.ModelSerializer[Membership]):
    """A tenant I belong to."""

    id = serializers.IntegerField(source="tenant.id")
    slug = serializers.CharField(source="tenant.slug")
    name = serializers.CharField(source="tenant.name")
    role = serializers.ChoiceField(choices=words.ROLES)

    class Meta:
        model = Membership
        fields = ("id", "slug", "name", "role")


class MeSerializer(serializers.ModelSerializer[User]):
    """The person who calls."""

    language = serializers.ChoiceField(choices=words.LANGUAGES)
    staff_roles = serializers.SerializerMethodField()
    tenants = serializers.SerializerMethodField()

    class Meta:
        model = User
        fields = ("id", "email", "name", "language", "staff_roles", "tenants")

    @extend_schema_field(
        serializers.ListField(child=serializers.ChoiceField(choices=words.STAFF_ROLES))
    )
    def get_staff_roles(self, user: User) -> list[str]:
        """What I am to the platform."""
        return list(scoping.staff_roles_of(user))

    @extend_schema_field(MyTenantSerializer(many=True))
    def get_tenants(self, user: User) -> object:
        """Where I am a member."""
        return MyTenantSerializer(scoping.memberships_of(user), many=True).data


class MeViewSet(ViewSet):
    """The person who calls."""

    @extend_schema(responses=MeSerializer)
    def retrieve(self, request: Request) -> Response:
        """Say who calls."""
        return Response(MeSerializer(caller(request)).data)
