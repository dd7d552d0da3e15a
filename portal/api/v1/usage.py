"""Usage: what ran, in device-seconds, and what it comes to so far."""

from datetime import timedelta
from typing import Any

from django.utils import timezone
from drf_spectacular.utils import extend_schema
from rest_framework import serializers
from rest_framework.decorators import action
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.viewsets import ViewSet

from billing import queries
from billing.intervals import Span
from billing.models import Account
from billing.rating import RatedLine, Rating, UnpricedUse
from portal.api.callers import caller
from portal.api.resources import InstantField
from portal.tenants import scoping
from portal.tenants.access import Action

LONGEST = timedelta(days=366)


class AskedUsageSerializer(serializers.Serializer[Any]):
    """Whose use, of which time; without an end, until now."""

    tenant = serializers.CharField(max_length=48)
    project = serializers.IntegerField(required=False)
    since = InstantField()
    until = InstantField(required=False)

    def validate(self, attrs: dict[str, Any]) -> dict[str, Any]:
        """Refuse a time that ends before it begins, or that nobody could read."""
        attrs.setdefault("until", timezone.now())
        if not timedelta(0) < attrs["until"] - attrs["since"] <= LONGEST:
            raise serializers.ValidationError({"until": "It ends after it begins, within a year."})
        return attrs


class UsageRowSerializer(serializers.Serializer[Any]):
    """One usage interval, clipped to the time asked for."""

    instance = serializers.CharField(source="resource_ref")
    project = serializers.IntegerField(source="project_id")
    sku = serializers.CharField(source="sku_code")
    quantity = serializers.IntegerField()
    started_at = serializers.DateTimeField()
    ended_at = serializers.DateTimeField(allow_null=True)
    proved_until = serializers.DateTimeField()
    device_seconds = serializers.IntegerField()
    is_open = serializers.BooleanField()
    end_quality = serializers.ChoiceField(choices=["exact", "bounded"], allow_null=True)
    gap_seconds = serializers.IntegerField(allow_null=True)


class RatedLineSerializer(serializers.Serializer[RatedLine]):
    """All use of one SKU at one rate by one project."""

    project = serializers.IntegerField(source="project_id")
    sku = serializers.CharField(source="sku_code")
    hourly_rate = serializers.DecimalField(max_digits=14, decimal_places=4)
    device_seconds = serializers.IntegerField()
    net_amount = serializers.IntegerField()
    tax_amount = serializers.IntegerField()
    service_from = serializers.DateTimeField()
    service_until = serializers.DateTimeField()


class UnpricedUseSerializer(serializers.Serializer[UnpricedUse]):
    """Use that no price covers."""

    project = serializers.IntegerField(source="project_id")
    sku = serializers.CharField(source="sku_code")
    device_seconds = serializers.IntegerField()


class ProvisionalTotalSerializer(serializers.Serializer[Rating]):
    """What a time comes to, as far as it is proved by now."""

    lines = RatedLineSerializer(many=True)
    unpriced = UnpricedUseSerializer(many=True)
    net_amount = serializers.IntegerField(source="net")
    tax_amount = serializers.IntegerField(source="tax")
    total_amount = serializers.IntegerField(source="total")


class UsageViewSet(ViewSet):
    """Usage."""

    @extend_schema(parameters=[AskedUsageSerializer], responses=UsageRowSerializer(many=True))
    def list(self, request: Request) -> Response:
        """List the usage intervals with a share in a time, oldest first."""
        asked = _asked(request)
        tenant = scoping.tenant_for(caller(request), asked["tenant"])
        projects = scoping.projects_of(caller(request), Action.VIEW_USAGE).filter(tenant=tenant)
        visible = set(projects.values_list("pk", flat=True))
        if not visible:
            scoping.tenant_for(caller(request), asked["tenant"], Action.VIEW_USAGE)
        rows = queries.usage_rows(
            account_id=_account(tenant.pk).pk,
            since=asked["since"],
            until=asked["until"],
            project_id=asked.get("project"),
            at=timezone.now(),
        )
        # A guest of one project sees that project's use.
        seen = [row for row in rows if row.project_id in visible]
        return Response(UsageRowSerializer(seen, many=True).data)

    @extend_schema(parameters=[AskedUsageSerializer], responses=ProvisionalTotalSerializer)
    @action(detail=False, methods=["get"], url_path="provisional-total")
    def provisional_total(self, request: Request) -> Response:
        """Say what a time comes to so far, without writing anything."""
        asked = _asked(request)
        tenant = scoping.tenant_for(caller(request), asked["tenant"], Action.VIEW_ACCOUNT)
        rating = queries.provisional_total(
            account=_account(tenant.pk),
            span=Span(asked["since"], asked["until"]),
            at=timezone.now(),
        )
        return Response(ProvisionalTotalSerializer(rating).data)


def _asked(request: Request) -> dict[str, Any]:
    asked = AskedUsageSerializer(data=request.query_params)
    asked.is_valid(raise_exception=True)
    validated: dict[str, Any] = asked.validated_data
    return validated


def _account(tenant_id: int) -> Account:
    return scoping.pick(Account.objects.all(), tenant_id=tenant_id)
