"""Clusters: added, examined, drained and removed by operators."""

from collections.abc import Callable
from datetime import datetime
from functools import partial
from typing import Any
from uuid import UUID

from django.db.models import QuerySet
from django.utils import timezone
from drf_spectacular.utils import extend_schema, extend_schema_field
from rest_framework import serializers
from rest_framework.decorators import action
from rest_framework.request import Request
from rest_framework.response import Response

from portal.api import words
from portal.api.resources import Resource, described_only
from portal.tenants import scoping
from portal.tenants.access import Action
from provisioning import clusters, draining, examining, freshness, gateways, losing, probing
from provisioning.models import Cluster, ClusterFinding, ClusterGateway, ClusterLoss, Instance
from provisioning.routes import Edge
from provisioning.states import Identity

LONGEST_KUBECONFIG = 256 * 1024


class FindingSerializer(serializers.ModelSerializer[ClusterFinding]):
    """What looking into a cluster has found to one question."""

    question = serializers.ChoiceField(choices=words.CLUSTER_QUESTIONS)
    verdict = serializers.ChoiceField(choices=words.CLUSTER_VERDICTS)
    facts = serializers.DictField(
        help_text="What the answer rests on; its keys depend on the question."
    )

    class Meta:
        model = ClusterFinding
        fields = ("question", "verdict", "detail", "facts", "found_at")


class GatewaySerializer(serializers.ModelSerializer[ClusterGateway]):
    """The gateway by which ports of the cluster's instances are reached."""

    service_port = serializers.IntegerField(min_value=1, max_value=65535)

    class Meta:
        model = ClusterGateway
        fields = (
            "gateway_namespace",
            "gateway_name",
            "namespace",
            "service_name",
            "service_port",
            "set_at",
            "removed_at",
            "looked_at",
            "route_count",
            "message",
        )
        read_only_fields = fields[5:]


class LossSerializer(serializers.ModelSerializer[ClusterLoss]):
    """A person's word that a cluster is lost, and what ended with it."""

    confirmation = serializers.CharField(
        max_length=40, write_only=True, help_text="The name of the cluster."
    )

    class Meta:
        model = ClusterLoss
        fields = (
            "confirmation",
            "reason",
            "declared_at",
            "declared_by",
            "heard_at",
            "instance_count",
            "run_count",
            "volume_count",
        )
        read_only_fields = fields[2:]


class ClusterSerializer(serializers.ModelSerializer[Cluster]):
    """A cluster, and how old our knowledge of it is; its credentials are never shown."""

    state = serializers.ChoiceField(choices=words.CLUSTER_STATES)
    probe = serializers.DictField(help_text="What the first look found: resource names and counts.")
    state_age_seconds = serializers.SerializerMethodField()
    is_stale = serializers.SerializerMethodField()
    own_credentials = serializers.SerializerMethodField()
    findings = FindingSerializer(many=True)
    gateway = serializers.SerializerMethodField()
    losses = LossSerializer(many=True)

    class Meta:
        model = Cluster
        fields = (
            "id",
            "name",
            "uid",
            "state",
            "server_version",
            "probe",
            "findings",
            "own_credentials",
            "gateway",
            "losses",
            "examination_started_at",
            "added_at",
            "removed_at",
            "last_list_at",
            "last_event_at",
            "state_age_seconds",
            "is_stale",
            "breaker_until",
        )

    def get_state_age_seconds(self, cluster: Cluster) -> float | None:
        """Seconds since the watcher last heard from it."""
        return freshness.age_of(cluster, at=self.context["now"])

    def get_is_stale(self, cluster: Cluster) -> bool:
        """Whether that is too long ago to rely on."""
        return freshness.is_stale(self.get_state_age_seconds(cluster))

    @extend_schema_field(serializers.ListField(child=serializers.ChoiceField(words.IDENTITIES)))
    def get_own_credentials(self, cluster: Cluster) -> list[str]:
        """The identities that have credentials of their own."""
        return [credential.identity for credential in cluster.credentials.all()]

    @extend_schema_field(GatewaySerializer(allow_null=True))
    def get_gateway(self, cluster: Cluster) -> Any:
        """The gateway that is set, or whose routes are still being removed."""
        gateway = getattr(cluster, "gateway", None)
        return None if gateway is None else GatewaySerializer(gateway).data


class KubeconfigField(serializers.CharField):
    """The text of a kubeconfig with inline credentials."""

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(
            max_length=LONGEST_KUBECONFIG, trim_whitespace=False, write_only=True, **kwargs
        )


class NewClusterSerializer(serializers.Serializer[Cluster]):
    """A name, and a kubeconfig; identities may have kubeconfigs of their own."""

    name = serializers.CharField(max_length=40)
    kubeconfig = KubeconfigField()
    watcher_kubeconfig = KubeconfigField(required=False)
    worker_kubeconfig = KubeconfigField(required=False)
    access_kubeconfig = KubeconfigField(required=False)


class CredentialsSerializer(serializers.Serializer[Cluster]):
    """Other credentials of the same cluster: one identity's, or those of the rest."""

    kubeconfig = KubeconfigField()
    identity = serializers.ChoiceField(choices=words.IDENTITIES, required=False)


class GuestSerializer(serializers.Serializer[Instance]):
    """An instance that is on the cluster."""

    instance_id = serializers.UUIDField()


class InstanceOnClusterSerializer(serializers.ModelSerializer[Instance]):
    """An instance that is on the cluster, whose, and until when."""

    tenant = serializers.IntegerField(source="tenant_id")
    state = serializers.ChoiceField(choices=words.INSTANCE_STATES)

    class Meta:
        model = Instance
        fields = ("id", "tenant", "name", "state", "device_count", "ends_at")


class ClusterViewSet(Resource):
    """Clusters."""

    serializer_class = ClusterSerializer
    lookup_value_converter = "int"
    page_order = "name"

    def get_queryset(self) -> QuerySet[Cluster]:
        """All of them, to those who may see clusters."""
        if not described_only(self):
            scoping.require_staff(self.caller, Action.VIEW_CLUSTER)
        known = Cluster.objects.defer("kubeconfig_encrypted")
        return known.select_related("gateway").prefetch_related("findings", "credentials", "losses")

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
    def create(self, request: Request) -> Response:
        """Add a cluster that answers; one that does not leaves nothing behind.

        Its name is what makes a second call harmless: it is given once.
        """
        scoping.require_staff(self.caller, Action.MANAGE_CLUSTER)
        body = self.read(NewClusterSerializer)
        others = {one: text for one in Identity if (text := body.get(f"{one}_kubeconfig"))}
        cluster = clusters.admit_cluster(
            name=body["name"], kubeconfig=body["kubeconfig"], others=others, at=timezone.now()
        )
        return self.answer(cluster, status=201)

    @extend_schema(request=None, responses=ClusterSerializer)
    @action(detail=True, methods=["post"])
    def probe(self, request: Request, pk: int) -> Response:
        """Ask the cluster what it is, now."""
        return self._act(pk, _at(probing.probe_cluster))

    @extend_schema(request=None, responses={202: ClusterSerializer})
    @action(detail=True, methods=["post"])
    def examine(self, request: Request, pk: int) -> Response:
        """Have the cluster examined with pods; the findings follow within minutes."""
        return self._act(pk, _at(examining.ask_for_examination), status=202)

    @extend_schema(request=None, responses=ClusterSerializer)
    @action(detail=True, methods=["post"])
    def pause(self, request: Request, pk: int) -> Response:
        """Place nothing more on it; what runs, runs on."""
        return self._act(pk, lambda cluster: clusters.pause_cluster(cluster=cluster))

    @extend_schema(request=None, responses=ClusterSerializer)
    @action(detail=True, methods=["post"])
    def resume(self, request: Request, pk: int) -> Response:
        """Place on it again."""
        return self._act(pk, _at(clusters.resume_cluster))

    @extend_schema(request=None, responses=ClusterSerializer)
    @action(detail=True, methods=["post"])
    def drain(self, request: Request, pk: int) -> Response:
        """Place nothing more on it, and tell whoever runs there to leave."""
        return self._act(pk, _at(draining.drain_cluster))

    @extend_schema(request=None, responses=ClusterSerializer)
    @action(detail=True, methods=["post"])
    def remove(self, request: Request, pk: int) -> Response:
        """Let a drained cluster go, once nothing of ours is left on it."""
        return self._act(pk, _at(draining.remove_cluster))

    @extend_schema(request=LossSerializer, responses=ClusterSerializer)
    @action(detail=True, methods=["post"])
    def lose(self, request: Request, pk: int) -> Response:
        """Give up a cluster that will not answer any more; what was on it ends as last proved."""
        given = {**self.read(LossSerializer), "by": self.caller.email}
        return self._act(pk, _at(partial(losing.declare_lost, **given)))

    @extend_schema(request=CredentialsSerializer, responses=ClusterSerializer)
    @action(detail=True, methods=["post"])
    def credentials(self, request: Request, pk: int) -> Response:
        """Reach the very same cluster with other credentials."""
        cluster, body = self._managed(pk), self.read(CredentialsSerializer)
        identity = Identity(body["identity"]) if "identity" in body else None
        clusters.replace_kubeconfig(
            cluster=cluster, kubeconfig=body["kubeconfig"], identity=identity, at=timezone.now()
        )
        return self.answer(self._managed(pk))

    @extend_schema(request=GatewaySerializer, responses=ClusterSerializer)
    @action(detail=True, methods=["post"], url_path="gateway")
    def set_gateway(self, request: Request, pk: int) -> Response:
        """Have ports of its instances routed by a gateway, to a service of the portal's."""
        cluster, edge = self._managed(pk), Edge(**self.read(GatewaySerializer))
        gateways.set_gateway(cluster=cluster, edge=edge, by=self.caller.email, at=timezone.now())
        return self.answer(self._managed(pk))

    @extend_schema(request=None, responses=ClusterSerializer)
    @action(detail=True, methods=["post"], url_path="gateway/remove")
    def remove_gateway(self, request: Request, pk: int) -> Response:
        """Have no ports routed any more; the routes are taken away within seconds."""
        return self._act(pk, _at(gateways.remove_gateway))

    @extend_schema(responses=InstanceOnClusterSerializer(many=True), filters=False)
    @action(detail=True, methods=["get"], pagination_class=None)
    def instances(self, request: Request, pk: int) -> Response:
        """List the instances that are on it, those that end first before the others."""
        found = draining.instances_on(self._managed(pk))
        return Response(InstanceOnClusterSerializer(found, many=True).data)

    @extend_schema(request=GuestSerializer, responses=ClusterSerializer)
    @action(detail=True, methods=["post"])
    def move(self, request: Request, pk: int) -> Response:
        """Move an instance off it, to any cluster that takes new pods."""
        return self._act_on_guest(pk, draining.move_off)

    @extend_schema(request=GuestSerializer, responses=ClusterSerializer)
    @action(detail=True, methods=["post"])
    def stop(self, request: Request, pk: int) -> Response:
        """Stop an instance that stands in the way, and tell its tenant."""
        return self._act_on_guest(pk, draining.stop_on_cluster)

    def _act(self, pk: int, act: Callable[[Cluster], object], *, status: int = 200) -> Response:
        act(self._managed(pk))
        return self.answer(self._managed(pk), status=status)

    def _act_on_guest(self, pk: int, act: Callable[..., None]) -> Response:
        cluster = self._managed(pk)
        wanted: UUID = self.read(GuestSerializer)["instance_id"]
        guest = scoping.pick(draining.instances_on(cluster), pk=wanted)
        act(instance=guest, at=timezone.now())
        return self.answer(self._managed(pk))

    def _managed(self, pk: int) -> Cluster:
        scoping.require_staff(self.caller, Action.MANAGE_CLUSTER)
        return scoping.pick(Cluster.objects.all(), pk=pk)


def _at(act: Callable[..., object]) -> Callable[[Cluster], object]:
    """Act at this moment."""
    now: datetime = timezone.now()
    return lambda cluster: act(cluster=cluster, at=now)
