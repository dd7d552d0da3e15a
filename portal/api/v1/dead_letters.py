"""Dead letters: instances we stopped trying to move, for operators."""

import django_filters
from django.db.models import QuerySet
from django.utils import timezone
from drf_spectacular.utils import extend_schema
from rest_framework import serializers
from rest_framework.decorators import action
from rest_framework.request import Request
from rest_framework.response import Response

from portal.api import words
from portal.api.resources import Resource, described_only
from portal.tenants import scoping
from portal.tenants.access import Action
from provisioning import dead_letters
from provisioning.models import DeadLetter


class DeadLetterSerializer(serializers.ModelSerializer[DeadLetter]):
    """One instance that waits for a person, and how it was answered."""

    instance_id = serializers.UUIDField()
    instance_state = serializers.ChoiceField(source="instance.state", choices=words.INSTANCE_STATES)

    class Meta:
        model = DeadLetter
        fields = (
            "id",
            "instance_id",
            "instance_state",
            "code",
            "message",
            "count",
            "first_at",
            "last_at",
            "closed_at",
            "closed_by",
            "outcome",
            "close_reason",
        )


class AnswerReasonSerializer(serializers.Serializer[DeadLetter]):
    """Why; it is kept with the caller's name."""

    reason = serializers.CharField(max_length=500)


class DeadLetterFilter(django_filters.FilterSet):
    """Open ones, or those of one instance."""

    open = django_filters.BooleanFilter(field_name="closed_at", lookup_expr="isnull")
    instance = django_filters.UUIDFilter(field_name="instance_id")

    class Meta:
        model = DeadLetter
        fields = ("open", "instance")


class DeadLetterViewSet(Resource):
    """Dead letters."""

    serializer_class = DeadLetterSerializer
    filterset_class = DeadLetterFilter
    lookup_value_converter = "int"
    page_order = "-id"

    def get_queryset(self) -> QuerySet[DeadLetter]:
        """All of them, to those of the platform who may see instances."""
        if not described_only(self):
            scoping.require_staff(self.caller, Action.VIEW_INSTANCE)
        return DeadLetter.objects.select_related("instance")

    def list(self, request: Request) -> Response:
        """List dead letters."""
        return self.page(self.get_queryset())

    def retrieve(self, request: Request, pk: int) -> Response:
        """Show one dead letter."""
        return self.answer(scoping.pick(self.get_queryset(), pk=pk))

    @extend_schema(request=AnswerReasonSerializer, responses=DeadLetterSerializer)
    @action(detail=True, methods=["post"])
    def retry(self, request: Request, pk: int) -> Response:
        """Look at the instance again at once; not where its launch has ended."""
        letter, reason = self._managed(pk), self.read(AnswerReasonSerializer)["reason"]
        return self.answer(
            dead_letters.retry_letter(
                letter=letter, by=self.caller.email, reason=reason, at=timezone.now()
            )
        )

    @extend_schema(request=AnswerReasonSerializer, responses=DeadLetterSerializer)
    @action(detail=True, methods=["post"])
    def close(self, request: Request, pk: int) -> Response:
        """Let it be."""
        letter, reason = self._managed(pk), self.read(AnswerReasonSerializer)["reason"]
        return self.answer(
            dead_letters.close_letter(
                letter=letter, by=self.caller.email, reason=reason, at=timezone.now()
            )
        )

    def _managed(self, pk: int) -> DeadLetter:
        scoping.require_staff(self.caller, Action.MANAGE_CLUSTER)
        return scoping.pick(self.get_queryset(), pk=pk)
