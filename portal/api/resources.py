"""What the resources of `v1` share: reading a body, finding a page, and fields of ours."""

from datetime import UTC, datetime
from typing import Any, TypeVar

import django_filters
from django.db.models import Model, QuerySet
from django_filters.rest_framework import DjangoFilterBackend
from rest_framework import serializers, viewsets
from rest_framework.response import Response

from portal.api.callers import caller
from portal.tenants.models import Tenant, User

M = TypeVar("M", bound=Model)
EARLIEST = datetime(2000, 1, 1, tzinfo=UTC)
LATEST = datetime(2200, 1, 1, tzinfo=UTC)


class InstantField(serializers.DateTimeField):
    """An instant of this business: with an offset, and within two centuries."""

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(default_timezone=UTC, **kwargs)

    def to_internal_value(self, value: Any) -> datetime:
        """Refuse what no calendar of ours holds."""
        instant: datetime = super().to_internal_value(value)
        if not EARLIEST <= instant < LATEST:
            raise serializers.ValidationError("This instant is out of range.", code="out_of_range")
        return instant


class TenantFilter(django_filters.CharFilter):
    """By tenant, where those below us keep only its id."""

    def __init__(self, id_field: str, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.id_field = id_field

    def filter(self, rows: QuerySet[M], slug: str) -> QuerySet[M]:
        """Keep the rows of the tenant of this short name."""
        if not slug:
            return rows
        tenants = Tenant.objects.filter(slug=slug).values("pk")
        return rows.filter(**{f"{self.id_field}__in": tenants})


class Resource(viewsets.GenericViewSet[Any]):
    """One kind of thing: each operation parses, makes one call, answers."""

    filter_backends = (DjangoFilterBackend,)
    # In which order its pages are read; see `portal.api.pagination`.
    page_order = "-created_at"

    @property
    def caller(self) -> User:
        """Who calls."""
        return caller(self.request)

    def read(self, serializer: type[serializers.Serializer[Any]]) -> dict[str, Any]:
        """Read the body as this serializer describes it."""
        body = serializer(data=self.request.data, context=self.get_serializer_context())
        body.is_valid(raise_exception=True)
        validated: dict[str, Any] = body.validated_data
        return validated

    def page(self, rows: QuerySet[M]) -> Response:
        """Answer one page of the rows, filtered as the caller asks."""
        found = self.paginate_queryset(self.filter_queryset(rows))
        return self.get_paginated_response(self.get_serializer(found, many=True).data)

    def answer(self, row: object, *, status: int = 200) -> Response:
        """Answer one row."""
        return Response(self.get_serializer(row).data, status=status)


def described_only(view: viewsets.GenericViewSet[Any]) -> bool:
    """Whether nobody calls: the document of the API is being written."""
    return getattr(view, "swagger_fake_view", False)
