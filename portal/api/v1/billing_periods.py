"""Billing periods: cut, examined and drafted by finance."""

from typing import Any

from django.db.models import QuerySet
from django.utils import timezone
from django_filters import FilterSet, NumberFilter
from drf_spectacular.utils import extend_schema
from rest_framework import serializers
from rest_framework.decorators import action
from rest_framework.request import Request
from rest_framework.response import Response

from billing import closing, invoicing, periods
from billing.errors import IllegalState
from billing.models import Account, BillingPeriod
from portal.api import words
from portal.api.idempotency import idempotent
from portal.api.resources import InstantField, Resource, described_only
from portal.api.v1.invoices import InvoiceDetailSerializer
from portal.tenants import scoping
from portal.tenants.access import Action
from portal.tenants.queries import project_names


class BillingPeriodSerializer(serializers.ModelSerializer[BillingPeriod]):
    """A stretch of time an account is billed for at once."""

    account = serializers.IntegerField(source="account_id")
    since = serializers.DateTimeField()
    until = serializers.DateTimeField()

    class Meta:
        model = BillingPeriod
        fields = ("id", "account", "since", "until", "closed_at", "closed_by")


class CloseExceptionSerializer(serializers.Serializer[Any]):
    """One thing that keeps a period from being invoiced."""

    code = serializers.ChoiceField(choices=words.BLOCKERS)
    message = serializers.CharField()
    ref = serializers.CharField()
    seconds = serializers.IntegerField()


class NewPeriodSerializer(serializers.Serializer[BillingPeriod]):
    """Whose period, around which instant; now, if none is given."""

    account = serializers.IntegerField()
    at = InstantField(required=False)


class CutSerializer(serializers.Serializer[BillingPeriod]):
    """Where to cut; now, if nothing is said."""

    at = InstantField(required=False)


class BillingPeriodFilter(FilterSet):
    """By account."""

    account = NumberFilter(field_name="account_id")

    class Meta:
        model = BillingPeriod
        fields = ("account",)


class BillingPeriodViewSet(Resource):
    """Billing periods."""

    serializer_class = BillingPeriodSerializer
    filterset_class = BillingPeriodFilter
    lookup_value_converter = "int"
    page_order = "-id"

    def get_queryset(self) -> QuerySet[BillingPeriod]:
        """All of them, to those who may see the books."""
        if not described_only(self):
            scoping.require_staff(self.caller, Action.VIEW_PERIOD)
        return BillingPeriod.objects.select_related("account")

    def list(self, request: Request) -> Response:
        """List billing periods."""
        return self.page(self.get_queryset())

    def retrieve(self, request: Request, pk: int) -> Response:
        """Show one billing period."""
        return self.answer(scoping.pick(self.get_queryset(), pk=pk))

    @extend_schema(request=NewPeriodSerializer, responses=BillingPeriodSerializer)
    def create(self, request: Request) -> Response:
        """Find the period around an instant; its month is opened if there is none."""
        scoping.require_staff(self.caller, Action.MANAGE_BILLING)
        body = self.read(NewPeriodSerializer)
        account = scoping.pick(Account.objects.all(), pk=body["account"])
        return self.answer(periods.period_for(account=account, at=body.get("at", timezone.now())))

    @extend_schema(request=CutSerializer, responses={201: BillingPeriodSerializer})
    @idempotent
    @action(detail=True, methods=["post"])
    def cut(self, request: Request, pk: int) -> Response:
        """End a period early, for an interim or final bill; the rest becomes a new one."""
        period = self._managed(pk)
        at = self.read(CutSerializer).get("at", timezone.now())
        if not period.since < at < period.until:
            raise IllegalState("This billing period cannot be cut there.")
        cut = periods.cut_period(account=period.account, at=at)
        return self.answer(cut, status=201)

    @extend_schema(responses=CloseExceptionSerializer(many=True), filters=False)
    @action(detail=True, methods=["get"], pagination_class=None)
    def exceptions(self, request: Request, pk: int) -> Response:
        """List what keeps the period from being invoiced."""
        period = scoping.pick(self.get_queryset(), pk=pk)
        found = closing.exceptions_of(period=period, at=timezone.now())
        return Response(CloseExceptionSerializer(found, many=True).data)

    @extend_schema(request=None, responses={201: InvoiceDetailSerializer})
    @idempotent
    @action(detail=True, methods=["post"])
    def draft(self, request: Request, pk: int) -> Response:
        """Draft the period's invoice; a draft that is there already is drawn again."""
        period = self._managed(pk)
        invoice = invoicing.draft_invoice(
            period=period,
            at=timezone.now(),
            project_names=project_names(tenant_id=period.account.tenant_id),
        )
        return Response(InvoiceDetailSerializer(invoice).data, status=201)

    def _managed(self, pk: int) -> BillingPeriod:
        scoping.require_staff(self.caller, Action.MANAGE_BILLING)
        return scoping.pick(self.get_queryset(), pk=pk)
