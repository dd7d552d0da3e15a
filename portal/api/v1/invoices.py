"""Invoices: read by who pays, issued by finance, downloaded as PDF and CSV."""

from uuid import UUID

import django_filters
from django.db.models import QuerySet
from django.http import HttpResponse
from django.utils import timezone
from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import OpenApiParameter, extend_schema
from rest_framework import serializers
from rest_framework.decorators import action
from rest_framework.renderers import JSONRenderer
from rest_framework.request import Request
from rest_framework.response import Response

from billing import documents, invoicing
from billing.models import Invoice, InvoiceFile, InvoiceLine
from portal.api import words
from portal.api.idempotency import idempotent
from portal.api.resources import Resource, TenantFilter, described_only
from portal.tenants import scoping
from portal.tenants.access import Action

LANGUAGE = OpenApiParameter("language", enum=words.LANGUAGES, default="ko")


class InvoiceSerializer(serializers.ModelSerializer[Invoice]):
    """A bill, in whole won."""

    account = serializers.IntegerField(source="account_id")
    period = serializers.IntegerField(source="period_id")
    state = serializers.ChoiceField(choices=words.INVOICE_STATES)

    class Meta:
        model = Invoice
        fields: tuple[str, ...] = (
            "id",
            "account",
            "period",
            "kind",
            "state",
            "number",
            "currency",
            "net_amount",
            "tax_rate",
            "tax_amount",
            "total_amount",
            "service_from",
            "service_until",
            "seller_name",
            "buyer_name",
            "drafted_at",
            "issued_at",
            "issued_on",
            "issued_by",
            "due_on",
        )


class InvoiceLineSerializer(serializers.ModelSerializer[InvoiceLine]):
    """The use of one SKU at one rate by one project."""

    class Meta:
        model = InvoiceLine
        fields = (
            "position",
            "project_id",
            "project_name",
            "sku_code",
            "sku_name",
            "hourly_rate",
            "device_seconds",
            "net_amount",
            "tax_amount",
            "service_from",
            "service_until",
        )


class InvoiceDetailSerializer(InvoiceSerializer):
    """A bill with its lines."""

    lines = InvoiceLineSerializer(many=True)

    class Meta(InvoiceSerializer.Meta):
        fields = (*InvoiceSerializer.Meta.fields, "lines")


class LanguageSerializer(serializers.Serializer[InvoiceFile]):
    """Which language a document speaks."""

    language = serializers.ChoiceField(choices=words.LANGUAGES, default="ko")


class InvoiceFilter(django_filters.FilterSet):
    """By tenant, account, period and state."""

    tenant = TenantFilter("account__tenant_id")
    account = django_filters.NumberFilter(field_name="account_id")
    period = django_filters.NumberFilter(field_name="period_id")
    state = django_filters.ChoiceFilter(choices=[(each, each) for each in words.INVOICE_STATES])

    class Meta:
        model = Invoice
        fields = ("tenant", "account", "period", "state")


class PdfRenderer(JSONRenderer):
    """Lets a caller accept `application/pdf`; what it renders itself is a problem."""

    media_type = "application/pdf"
    format = "pdf"


class CsvRenderer(JSONRenderer):
    """Lets a caller accept `text/csv`; what it renders itself is a problem."""

    media_type = "text/csv"
    format = "csv"


class InvoiceViewSet(Resource):
    """Invoices."""

    serializer_class = InvoiceSerializer
    filterset_class = InvoiceFilter
    lookup_value_converter = "uuid"
    page_order = "-drafted_at"

    def get_queryset(self) -> QuerySet[Invoice]:
        """Those the caller may see; drafts are for staff."""
        return Invoice.objects.none() if described_only(self) else scoping.invoices_of(self.caller)

    def list(self, request: Request) -> Response:
        """List invoices."""
        return self.page(self.get_queryset())

    @extend_schema(responses=InvoiceDetailSerializer)
    def retrieve(self, request: Request, pk: UUID) -> Response:
        """Show one invoice with its lines."""
        return self._detail(scoping.invoice_for(self.caller, pk))

    @extend_schema(request=None, responses=InvoiceDetailSerializer)
    @idempotent
    @action(detail=True, methods=["post"])
    def issue(self, request: Request, pk: UUID) -> Response:
        """Issue a draft: it gets its number and changes no more."""
        draft = scoping.invoice_for(self.caller, pk, Action.MANAGE_BILLING)
        return self._detail(
            invoicing.issue_invoice(draft=draft, by=self.caller.email, at=timezone.now())
        )

    @extend_schema(request=None, responses=InvoiceDetailSerializer)
    @action(detail=True, methods=["post"])
    def void(self, request: Request, pk: UUID) -> Response:
        """Take back an issued invoice; its number stays taken."""
        invoice = scoping.invoice_for(self.caller, pk, Action.MANAGE_BILLING)
        return self._detail(
            invoicing.void_invoice(invoice=invoice, by=self.caller.email, at=timezone.now())
        )

    @extend_schema(
        parameters=[LANGUAGE],
        responses={(200, "application/pdf"): OpenApiTypes.BINARY},
        filters=False,
    )
    @action(detail=True, methods=["get"])
    def pdf(self, request: Request, pk: UUID) -> HttpResponse:
        """Download the invoice as PDF."""
        return self._download(pk, InvoiceFile.Format.PDF, "application/pdf")

    @extend_schema(
        parameters=[LANGUAGE], responses={(200, "text/csv"): OpenApiTypes.STR}, filters=False
    )
    @action(detail=True, methods=["get"], renderer_classes=[CsvRenderer, JSONRenderer])
    def csv(self, request: Request, pk: UUID) -> HttpResponse:
        """Download the invoice's lines as CSV."""
        return self._download(pk, InvoiceFile.Format.CSV, "text/csv; charset=utf-8")

    def _download(self, pk: UUID, kind: InvoiceFile.Format, content_type: str) -> HttpResponse:
        invoice = scoping.invoice_for(self.caller, pk)
        asked = LanguageSerializer(data=self.request.query_params)
        asked.is_valid(raise_exception=True)
        file = documents.file_of(
            invoice=invoice, format=kind, language=asked.validated_data["language"]
        )
        answer = HttpResponse(bytes(file.content), content_type=content_type)
        answer["Content-Disposition"] = f'attachment; filename="{invoice.number}.{kind.value}"'
        return answer

    def _detail(self, invoice: Invoice) -> Response:
        return Response(InvoiceDetailSerializer(invoice).data)
