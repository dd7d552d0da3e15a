"""Quota requests: asked by tenants, decided by approvers."""

from uuid import UUID

import django_filters
from django.db.models import QuerySet
from django.utils import timezone
from drf_spectacular.utils import extend_schema
from rest_framework import serializers
from rest_framework.decorators import action
from rest_framework.request import Request
from rest_framework.response import Response

from portal.api import words
from portal.api.idempotency import idempotent
from portal.api.resources import Resource, described_only
from portal.requests import approving, submitting
from portal.requests.models import QuotaRequest
from portal.requests.scoping import quota_request_for, quota_requests_of
from portal.tenants import scoping
from portal.tenants.access import Action
from provisioning.models import Family


class QuotaRequestSerializer(serializers.ModelSerializer[QuotaRequest]):
    """A wish to hold more devices, and what became of it."""

    tenant = serializers.CharField(source="project.tenant.slug")
    project = serializers.IntegerField(source="project_id")
    family = serializers.CharField(source="family.slug")
    state = serializers.ChoiceField(choices=words.REQUEST_STATES)
    submitted_by = serializers.EmailField(source="submitted_by.email")
    decided_by = serializers.EmailField(source="decided_by.email", allow_null=True, default=None)

    class Meta:
        model = QuotaRequest
        fields = (
            "id",
            "tenant",
            "project",
            "family",
            "devices",
            "justification",
            "state",
            "granted_devices",
            "submitted_by",
            "submitted_at",
            "decided_by",
            "decided_at",
            "decision_reason",
        )


class NewQuotaRequestSerializer(serializers.Serializer[QuotaRequest]):
    """What it takes to ask."""

    project = serializers.IntegerField()
    family = serializers.CharField(max_length=40)
    devices = serializers.IntegerField()
    justification = serializers.CharField(max_length=4000)


class QuotaApprovalSerializer(serializers.Serializer[QuotaRequest]):
    """How many devices are granted: all that were asked for, or fewer as a counter-offer."""

    devices = serializers.IntegerField(required=False)
    reason = serializers.CharField(max_length=4000, required=False, allow_blank=True)


class RejectionSerializer(serializers.Serializer[QuotaRequest]):
    """Why it is refused."""

    reason = serializers.CharField(max_length=4000)


class QuotaRequestFilter(django_filters.FilterSet):
    """By tenant, project, family and state."""

    tenant = django_filters.CharFilter(field_name="project__tenant__slug")
    project = django_filters.NumberFilter(field_name="project_id")
    family = django_filters.CharFilter(field_name="family__slug")
    state = django_filters.ChoiceFilter(choices=[(each, each) for each in words.REQUEST_STATES])

    class Meta:
        model = QuotaRequest
        fields = ("tenant", "project", "family", "state")


class QuotaRequestViewSet(Resource):
    """Quota requests."""

    serializer_class = QuotaRequestSerializer
    filterset_class = QuotaRequestFilter
    lookup_value_converter = "uuid"
    page_order = "-submitted_at"

    def get_queryset(self) -> QuerySet[QuotaRequest]:
        """Those the caller may see."""
        if described_only(self):
            return QuotaRequest.objects.none()
        return quota_requests_of(self.caller)

    def list(self, request: Request) -> Response:
        """List quota requests."""
        return self.page(self.get_queryset())

    def retrieve(self, request: Request, pk: UUID) -> Response:
        """Show one quota request."""
        return self.answer(quota_request_for(self.caller, pk))

    @extend_schema(request=NewQuotaRequestSerializer, responses={201: QuotaRequestSerializer})
    @idempotent
    def create(self, request: Request) -> Response:
        """Ask for the right to hold more devices."""
        body = self.read(NewQuotaRequestSerializer)
        quota_request = submitting.submit_quota_request(
            project=scoping.project_for(self.caller, body["project"], Action.SUBMIT_QUOTA_REQUEST),
            family=scoping.pick(Family.objects.all(), slug=body["family"]),
            devices=body["devices"],
            justification=body["justification"],
            by=self.caller,
            at=timezone.now(),
        )
        return self.answer(quota_request, status=201)

    @extend_schema(request=QuotaApprovalSerializer, responses=QuotaRequestSerializer)
    @action(detail=True, methods=["post"])
    def approve(self, request: Request, pk: UUID) -> Response:
        """Grant what was asked for, or fewer devices."""
        quota_request = quota_request_for(self.caller, pk, Action.DECIDE_QUOTA_REQUEST)
        approved = approving.approve_quota_request(
            quota_request=quota_request,
            by=self.caller,
            at=timezone.now(),
            **self.read(QuotaApprovalSerializer),
        )
        return self.answer(approved)

    @extend_schema(request=RejectionSerializer, responses=QuotaRequestSerializer)
    @action(detail=True, methods=["post"])
    def reject(self, request: Request, pk: UUID) -> Response:
        """Refuse it, with the reason."""
        quota_request = quota_request_for(self.caller, pk, Action.DECIDE_QUOTA_REQUEST)
        rejected = approving.reject_quota_request(
            quota_request=quota_request,
            by=self.caller,
            at=timezone.now(),
            **self.read(RejectionSerializer),
        )
        return self.answer(rejected)

    @extend_schema(request=None, responses=QuotaRequestSerializer)
    @action(detail=True, methods=["post"])
    def withdraw(self, request: Request, pk: UUID) -> Response:
        """Take it back before anybody decides."""
        quota_request = quota_request_for(self.caller, pk, Action.WITHDRAW_QUOTA_REQUEST)
        return self.answer(
            approving.withdraw_quota_request(
                quota_request=quota_request, by=self.caller, at=timezone.now()
            )
        )
