"""Tokens: the caller's own keys to the API."""

from django.db.models import QuerySet
from django.utils import timezone
from drf_spectacular.utils import extend_schema
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response

from portal.api.callers import whole_caller
from portal.api.resources import InstantField, Resource, described_only
from portal.tenants import issuing, scoping
from portal.tenants.models import ApiToken


class ApiTokenSerializer(serializers.ModelSerializer[ApiToken]):
    """A key, without its secret."""

    tenant = serializers.CharField(source="tenant.slug", allow_null=True, default=None)

    class Meta:
        model = ApiToken
        fields: tuple[str, ...] = (
            "id",
            "name",
            "prefix",
            "tenant",
            "created_at",
            "expires_at",
            "last_used_at",
            "revoked_at",
        )


class IssuedTokenSerializer(ApiTokenSerializer):
    """A key with its secret: shown now and never again."""

    secret = serializers.CharField()

    class Meta(ApiTokenSerializer.Meta):
        fields = (*ApiTokenSerializer.Meta.fields, "secret")


class NewTokenSerializer(serializers.Serializer[ApiToken]):
    """What it takes to issue a key; with a tenant it opens that tenant only."""

    name = serializers.CharField(max_length=120)
    expires_at = InstantField()
    tenant = serializers.CharField(max_length=48, required=False)


class TokenViewSet(Resource):
    """Tokens."""

    serializer_class = ApiTokenSerializer
    lookup_value_converter = "int"

    def get_queryset(self) -> QuerySet[ApiToken]:
        """The caller's own."""
        if described_only(self):
            return ApiToken.objects.none()
        return issuing.tokens_of(whole_caller(self.request))

    def list(self, request: Request) -> Response:
        """List the caller's tokens."""
        return self.page(self.get_queryset())

    # Not repeatable by key: the answer would have to be kept, and the secret must not be.
    @extend_schema(request=NewTokenSerializer, responses={201: IssuedTokenSerializer})
    def create(self, request: Request) -> Response:
        """Issue a token; its secret is shown once."""
        body = self.read(NewTokenSerializer)
        user, slug = whole_caller(request), body.pop("tenant", None)
        token, secret = issuing.issue_token(
            user=user,
            tenant=scoping.tenant_for(user, slug) if slug else None,
            at=timezone.now(),
            **body,
        )
        return Response({**self.get_serializer(token).data, "secret": secret}, status=201)

    def destroy(self, request: Request, pk: int) -> Response:
        """Revoke a token."""
        token = scoping.pick(self.get_queryset(), pk=pk)
        issuing.revoke_token(token=token, at=timezone.now())
        return Response(status=204)
