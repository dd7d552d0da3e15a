"""Clusters: added, examined and paused by operators."""

from datetime import datetime
from typing import Any

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
from portal.tenants import scoping
from portal.tenants.access import Action
from provisioning import clusters
from provisioning.models import Cluster


class ClusterSerializer(serializers.ModelSerializer[Cluster]):
    """A cluster, and how old our knowledge of it is; its credentials are never shown."""

    state = serializers.ChoiceField(choices=words.CLUSTER_STATES)
    probe = serializers.DictField()
    state_age_seconds = serializers.SerializerMethodField()

    class Meta:
        model = Cluster
        fields = (
            "id",
            "name",
            "state",
            "server_version",
            "probe",
            "added_at",
            "last_list_at",
            "last_event_at",
            "state_age_seconds",
            "breaker_until",
        )

    def get_state_age_seconds(self, cluster: Cluster) -> float | None:
        """Seconds since the watcher last heard from it."""
        heard: datetime | None = cluster.last_event_at
        now: datetime = self.context["now"]
        return None if heard is None else max(0.0, (now - heard).total_seconds())


class NewClusterSerializer(serializers.Serializer[Cluster]):
    """A name, and the text of a kubeconfig with inline credentials."""

    name = serializers.CharField(max_length=40)
    kubeconfig = serializers.CharField(max_length=256 * 1024, trim_whitespace=False)


class ClusterViewSet(Resource):
    """Clusters."""

    serializer_class = ClusterSerializer
    lookup_value_converter = "int"
    page_order = "name"

    def get_queryset(self) -> QuerySet[Cluster]:
        """All of them, to those who may see clusters."""
        if not described_only(self):
            scoping.require_staff(self.caller, Action.VIEW_CLUSTER)
        return Cluster.objects.defer("kubeconfig_encrypted")

    def get_serializer_context(self) -> dict[str, Any]:
        """Age is told as of one instant for the whole answer."""
        return {**super().get_serializer_context(), "now": timezone.now()}

    def list(self, request: Request) -> Response:
        """List clusters."""
        return self.page(self.get_queryset())

    def retrieve(self, request: Request, pk: int) -> Response:
        """Show one cluster."""
        return self.answer(scoping.pick(self.get_queryset(), pk=pk))

    @extend_schema(request=NewClusterSerializer, responses={201: ClusterSerializer})
    @idempotent
    def create(self, request: Request) -> Response:
        """Add a cluster; nothing is asked of it yet."""
        scoping.require_staff(self.caller, Action.MANAGE_CLUSTER)
        body = self.read(NewClusterSerializer)
        return self.answer(clusters.add_cluster(**body, at=timezone.now()), status=201)

    @extend_schema(request=None, responses=ClusterSerializer)
    @action(detail=True, methods=["post"])
    def probe(self, request: Request, pk: int) -> Response:
        """Ask the cluster what it is, now."""
        return self.answer(clusters.probe_cluster(cluster=self._managed(pk), at=timezone.now()))

    @extend_schema(request=None, responses=ClusterSerializer)
    @action(detail=True, methods=["post"])
    def pause(self, request: Request, pk: int) -> Response:
        """Place nothing more on it; what runs, runs on."""
        clusters.pause_cluster(cluster=self._managed(pk))
        return self.answer(self._managed(pk))

    @extend_schema(request=None, responses=ClusterSerializer)
    @action(detail=True, methods=["post"])
    def resume(self, request: Request, pk: int) -> Response:
        """Place on it again."""
        clusters.resume_cluster(cluster=self._managed(pk))
        return self.answer(self._managed(pk))

    def _managed(self, pk: int) -> Cluster:
        scoping.require_staff(self.caller, Action.MANAGE_CLUSTER)
        return scoping.pick(Cluster.objects.all(), pk=pk)
