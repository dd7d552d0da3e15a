"""Into an instance: its ports, who was inside, what the cluster tells, its log as it grows.

A terminal is a WebSocket of its own, `/api/v1/instances/{id}/terminal`; see
`portal.access.bridging`.
"""

from typing import Any
from uuid import UUID

from django.http import StreamingHttpResponse
from django.utils import timezone
from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import OpenApiParameter, extend_schema
from rest_framework import serializers
from rest_framework.decorators import action
from rest_framework.renderers import BaseRenderer, JSONRenderer
from rest_framework.request import Request
from rest_framework.response import Response

from portal.access import addresses, callers, streaming, terminals, tickets
from portal.access.hosts import Place
from portal.api.resources import Resource
from portal.tenants import scoping
from portal.tenants.access import Action
from provisioning import exposing, reading
from provisioning.models import Instance, InstancePort

MOST_LOG_LINES = 5000


class PortSerializer(serializers.Serializer[Any]):
    """One open port, and where a signed-in person visits it.

    Where a notebook listens, a visitor is signed in with the instance's notebook token.
    """

    port = serializers.IntegerField(min_value=1, max_value=65535)
    notebook = serializers.BooleanField(source="is_notebook", default=False)
    address = serializers.SerializerMethodField()
    opened_at = serializers.DateTimeField(read_only=True)
    opened_by = serializers.CharField(read_only=True)

    def get_address(self, port: InstancePort) -> str:
        """The origin that serves it, and nothing else."""
        return addresses.of(Place(port.instance_id, port.port))


class EventSerializer(serializers.Serializer[Any]):
    """What the cluster told of the instance's pod."""

    reason = serializers.CharField()
    message = serializers.CharField()
    is_warning = serializers.BooleanField()
    count = serializers.IntegerField()
    at = serializers.DateTimeField(allow_null=True)


class TerminalVisitSerializer(serializers.Serializer[Any]):
    """One terminal somebody opened."""

    user = serializers.EmailField(source="user.email")
    attempt_no = serializers.IntegerField()
    opened_at = serializers.DateTimeField()
    closed_at = serializers.DateTimeField(allow_null=True)
    close_reason = serializers.CharField()


class PortVisitSerializer(serializers.Serializer[Any]):
    """One visit of somebody to a port."""

    user = serializers.EmailField(source="user.email")
    port = serializers.IntegerField()
    opened_at = serializers.DateTimeField()
    expires_at = serializers.DateTimeField()


class VisitsSerializer(serializers.Serializer[Any]):
    """Who was inside, the latest first."""

    terminals = TerminalVisitSerializer(many=True)
    ports = PortVisitSerializer(many=True)


class FollowSerializer(serializers.Serializer[Instance]):
    """From which line, and of which attempt."""

    tail = serializers.IntegerField(min_value=1, max_value=MOST_LOG_LINES, default=200)
    attempt = serializers.IntegerField(min_value=1, max_value=2**31 - 1, required=False)


class EventStream(BaseRenderer):
    """Server-sent events; the answer writes itself."""

    media_type = "text/event-stream"
    format = "events"

    def render(self, data: Any, *args: Any, **kwargs: Any) -> Any:
        """Word a refusal, the only thing that is not streamed."""
        return JSONRenderer().render(data)


class InstanceAccess(Resource):
    """What every instance has besides: the doors into it."""

    @extend_schema(responses=PortSerializer(many=True), filters=False)
    @action(detail=True, methods=["get"], pagination_class=None)
    def ports(self, request: Request, pk: UUID) -> Response:
        """List its open ports."""
        open_ports = exposing.ports_of(scoping.instance_for(self.caller, pk))
        return Response(PortSerializer(open_ports, many=True).data)

    @extend_schema(request=PortSerializer, responses={201: PortSerializer})
    @ports.mapping.post
    def open_port(self, request: Request, pk: UUID) -> Response:
        """Open a port to the people of its project."""
        instance = scoping.instance_for(self.caller, pk, Action.OPEN_PORT)
        opened = exposing.open_port(
            instance=instance,
            **self.read(PortSerializer),
            by=self.caller.email,
            at=timezone.now(),
        )
        return Response(PortSerializer(opened).data, status=201)

    @extend_schema(request=None, responses={204: None})
    @action(detail=True, methods=["delete"], url_path="ports/<int:port>")
    def close_port(self, request: Request, pk: UUID, port: int) -> Response:
        """Close a port; whoever is there has to leave within seconds."""
        instance = scoping.instance_for(self.caller, pk, Action.OPEN_PORT)
        exposing.close_port(instance=instance, port=port, by=self.caller.email, at=timezone.now())
        return Response(status=204)

    @extend_schema(responses=VisitsSerializer, filters=False)
    @action(detail=True, methods=["get"], pagination_class=None)
    def visits(self, request: Request, pk: UUID) -> Response:
        """List who was inside, in terminals and at ports."""
        instance = scoping.instance_for(self.caller, pk)
        found = {
            "terminals": terminals.terminals_of(instance),
            "ports": tickets.visits_of(instance),
        }
        return Response(VisitsSerializer(found).data)

    @extend_schema(responses=EventSerializer(many=True), filters=False)
    @action(detail=True, methods=["get"], pagination_class=None)
    def events(self, request: Request, pk: UUID) -> Response:
        """List what the cluster tells of its pod at present, oldest first."""
        told = reading.read_events(instance=scoping.instance_for(self.caller, pk))
        return Response(EventSerializer(told, many=True).data)

    @extend_schema(
        parameters=[
            OpenApiParameter("tail", {"type": "integer", "minimum": 1, "maximum": MOST_LOG_LINES}),
            OpenApiParameter("attempt", {"type": "integer", "minimum": 1}),
        ],
        responses={(200, "text/event-stream"): OpenApiTypes.STR},
        filters=False,
    )
    @action(
        detail=True,
        methods=["get"],
        url_path="logs/follow",
        renderer_classes=[EventStream, JSONRenderer],
    )
    def follow(self, request: Request, pk: UUID) -> StreamingHttpResponse:
        """Follow its log as server-sent events, line by line, until it ends."""
        instance = scoping.instance_for(self.caller, pk, Action.READ_LOGS)
        asked = FollowSerializer(data=request.query_params)
        asked.is_valid(raise_exception=True)
        return streaming.log_answer(
            caller=callers.caller_of(request._request),
            instance=instance,
            attempt_no=asked.validated_data.get("attempt", instance.attempt_no),
            tail=asked.validated_data["tail"],
            in_words=lambda refusal: refusal.message,
            at=timezone.now(),
        )
