"""Projects: the parts of a tenant that hold quota and instances."""

import django_filters
from django.db.models import QuerySet
from django.utils import timezone
from drf_spectacular.utils import extend_schema
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response

from portal.api.idempotency import idempotent
from portal.api.resources import Resource, described_only
from portal.tenants import onboarding, scoping
from portal.tenants.access import Action
from portal.tenants.models import Project


class ProjectSerializer(serializers.ModelSerializer[Project]):
    """A part of a tenant."""

    tenant = serializers.CharField(source="tenant.slug")

    class Meta:
        model = Project
        fields = ("id", "tenant", "slug", "name", "created_at")


class NewProjectSerializer(serializers.Serializer[Project]):
    """What it takes to open a project."""

    tenant = serializers.CharField(max_length=48)
    name = serializers.CharField(max_length=120)
    slug = serializers.CharField(max_length=48, required=False)


class ProjectFilter(django_filters.FilterSet):
    """By tenant."""

    tenant = django_filters.CharFilter(field_name="tenant__slug")

    class Meta:
        model = Project
        fields = ("tenant",)


class ProjectViewSet(Resource):
    """Projects."""

    serializer_class = ProjectSerializer
    filterset_class = ProjectFilter
    lookup_value_converter = "int"

    def get_queryset(self) -> QuerySet[Project]:
        """Those the caller may see."""
        return Project.objects.none() if described_only(self) else scoping.projects_of(self.caller)

    def list(self, request: Request) -> Response:
        """List projects."""
        return self.page(self.get_queryset())

    def retrieve(self, request: Request, pk: int) -> Response:
        """Show one project."""
        return self.answer(scoping.project_for(self.caller, pk))

    @extend_schema(request=NewProjectSerializer, responses={201: ProjectSerializer})
    @idempotent
    def create(self, request: Request) -> Response:
        """Open a project in a tenant."""
        body = self.read(NewProjectSerializer)
        tenant = scoping.tenant_for(self.caller, body.pop("tenant"), Action.OPEN_PROJECT)
        project = onboarding.open_project(tenant=tenant, **body, at=timezone.now())
        return self.answer(project, status=201)
