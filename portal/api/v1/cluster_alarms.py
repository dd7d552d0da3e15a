"""Cluster alarms: what is wrong with a cluster, and pods that wait for a person's word."""

from typing import Any

import django_filters
from django.db.models import QuerySet
from django.utils import timezone
from drf_spectacular.utils import extend_schema
from rest_framework import serializers
from rest_framework.decorators import action
from rest_framework.request import Request
from rest_framework.response import Response

from portal.api.resources import Resource, described_only
from portal.tenants import scoping
from portal.tenants.access import Action
from provisioning import alarms, orphaned
from provisioning.models import ClusterAlarm, ObservedPod


class ClusterAlarmSerializer(serializers.ModelSerializer[ClusterAlarm]):
    """One thing wrong with a cluster, until it is over or a person closes it."""

    cluster = serializers.CharField(source="cluster.name")

    class Meta:
        model = ClusterAlarm
        fields = (
            "id",
            "cluster",
            "code",
            "subject",
            "message",
            "count",
            "first_at",
            "last_at",
            "closed_at",
            "closed_by",
            "close_reason",
        )


class OrphanSerializer(serializers.ModelSerializer[ObservedPod]):
    """A pod that carries our marks and is of no attempt we know."""

    class Meta:
        model = ObservedPod
        fields = ("uid", "namespace", "name", "node_name", "phase", "first_seen_at")


class AlarmReasonSerializer(serializers.Serializer[ClusterAlarm]):
    """Why; it is kept with the caller's name."""

    reason = serializers.CharField(max_length=500)


class OrphanReleaseSerializer(AlarmReasonSerializer):
    """Exactly the pods that may be cleared away, and why."""

    uids = serializers.ListField(child=serializers.UUIDField(), min_length=1, max_length=1000)


class ClusterAlarmFilter(django_filters.FilterSet):
    """Open ones, or those of one cluster."""

    open = django_filters.BooleanFilter(field_name="closed_at", lookup_expr="isnull")
    cluster = django_filters.CharFilter(field_name="cluster__name")

    class Meta:
        model = ClusterAlarm
        fields = ("open", "cluster")


class ClusterAlarmViewSet(Resource):
    """Cluster alarms."""

    serializer_class = ClusterAlarmSerializer
    filterset_class = ClusterAlarmFilter
    lookup_value_converter = "int"
    page_order = "-id"

    def get_queryset(self) -> QuerySet[ClusterAlarm]:
        """All of them, to those of the platform who may see instances."""
        if not described_only(self):
            scoping.require_staff(self.caller, Action.VIEW_INSTANCE)
        return ClusterAlarm.objects.select_related("cluster")

    def list(self, request: Request) -> Response:
        """List alarms."""
        return self.page(self.get_queryset())

    def retrieve(self, request: Request, pk: int) -> Response:
        """Show one alarm."""
        return self.answer(scoping.pick(self.get_queryset(), pk=pk))

    @extend_schema(responses=OrphanSerializer(many=True))
    @action(detail=True, methods=["get"], pagination_class=None, filterset_class=None)
    def orphans(self, request: Request, pk: int) -> Response:
        """List the pods a blocked sweep would not touch, at most a thousand."""
        alarm = scoping.pick(self.get_queryset(), pk=pk)
        pods: Any = ObservedPod.objects.none()
        if alarm.code == orphaned.BLOCKED:
            pods = orphaned.orphans_of(alarm.cluster).order_by("namespace", "name")[:1000]
        return Response(OrphanSerializer(pods, many=True).data)

    @extend_schema(request=OrphanReleaseSerializer, responses=ClusterAlarmSerializer)
    @action(detail=True, methods=["post"])
    def release(self, request: Request, pk: int) -> Response:
        """Let these pods be cleared away with the next sweeps."""
        alarm, body = self._managed(pk), self.read(OrphanReleaseSerializer)
        orphaned.release_orphans(
            cluster=alarm.cluster,
            uids=[str(uid) for uid in body["uids"]],
            by=self.caller.email,
            reason=body["reason"],
            at=timezone.now(),
        )
        return self.answer(alarm)

    @extend_schema(request=AlarmReasonSerializer, responses=ClusterAlarmSerializer)
    @action(detail=True, methods=["post"])
    def close(self, request: Request, pk: int) -> Response:
        """Close it; it is raised again if the trouble is met again."""
        alarm, reason = self._managed(pk), self.read(AlarmReasonSerializer)["reason"]
        return self.answer(
            alarms.close_alarm(alarm=alarm, by=self.caller.email, reason=reason, at=timezone.now())
        )

    def _managed(self, pk: int) -> ClusterAlarm:
        scoping.require_staff(self.caller, Action.MANAGE_CLUSTER)
        return scoping.pick(self.get_queryset(), pk=pk)
