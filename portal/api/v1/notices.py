"""Notices: what a person was told, and what of it they have read."""

import django_filters
from django.db.models import QuerySet
from django.utils import timezone
from drf_spectacular.utils import extend_schema
from rest_framework import serializers
from rest_framework.decorators import action
from rest_framework.request import Request
from rest_framework.response import Response

from portal.api.resources import Resource, described_only
from portal.notices import scoping, wording
from portal.notices.models import Notice
from portal.tenants.scoping import pick


class NoticeSerializer(serializers.ModelSerializer[Notice]):
    """One thing told to the caller; `message` is in the caller's language."""

    tenant = serializers.CharField(source="tenant.slug")
    detail = serializers.DictField(child=serializers.CharField())
    message = serializers.SerializerMethodField()

    class Meta:
        model = Notice
        fields = ("id", "tenant", "kind", "instance_id", "detail", "message", "at", "read_at")

    def get_message(self, notice: Notice) -> str:
        """What happened, in a sentence."""
        return wording.sentence_of(notice)


class MarkedSerializer(serializers.Serializer[None]):
    """How many were marked as read."""

    marked = serializers.IntegerField()


class NoticeFilter(django_filters.FilterSet):
    """By tenant and kind, or the unread alone."""

    tenant = django_filters.CharFilter(field_name="tenant__slug")
    unread = django_filters.BooleanFilter(field_name="read_at", lookup_expr="isnull")

    class Meta:
        model = Notice
        fields = ("tenant", "kind", "unread")


class NoticeViewSet(Resource):
    """Notices."""

    serializer_class = NoticeSerializer
    filterset_class = NoticeFilter
    lookup_value_converter = "int"
    page_order = "-at"

    def get_queryset(self) -> QuerySet[Notice]:
        """The caller's own."""
        if described_only(self):
            return Notice.objects.none()
        return scoping.notices_of(self.caller)

    def list(self, request: Request) -> Response:
        """List notices, newest first."""
        return self.page(self.get_queryset())

    @extend_schema(request=None, responses=NoticeSerializer)
    @action(detail=True, methods=["post"], url_path="read")
    def mark(self, request: Request, pk: int) -> Response:
        """Mark one as read."""
        notice = pick(self.get_queryset(), pk=pk)
        scoping.mark_read(user=self.caller, notice=notice, at=timezone.now())
        return self.answer(pick(self.get_queryset(), pk=pk))

    @extend_schema(request=None, responses=MarkedSerializer, filters=False)
    @action(detail=False, methods=["post"], url_path="read", filterset_class=None)
    def read_all(self, request: Request) -> Response:
        """Mark all as read."""
        marked = scoping.mark_read(user=self.caller, at=timezone.now())
        return Response({"marked": marked})
