"""Capacity: how many devices there are, and how many are free now."""

from typing import Any

from django.utils import timezone
from drf_spectacular.utils import extend_schema
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.viewsets import ViewSet

from provisioning import queries


class CapacitySerializer(serializers.Serializer[Any]):
    """The devices of one family in one cluster, and how old this knowledge is."""

    family = serializers.CharField(source="family_slug")
    cluster = serializers.CharField(source="cluster_name")
    resource_name = serializers.CharField()
    total = serializers.IntegerField()
    healthy = serializers.IntegerField()
    free = serializers.IntegerField()
    state_age_seconds = serializers.FloatField(allow_null=True)
    is_stale = serializers.BooleanField()


class CapacityViewSet(ViewSet):
    """Capacity."""

    @extend_schema(responses=CapacitySerializer(many=True))
    def list(self, request: Request) -> Response:
        """List the devices by family and cluster."""
        return Response(CapacitySerializer(queries.capacity(at=timezone.now()), many=True).data)
