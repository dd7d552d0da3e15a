"""Project members: people to whom one project is open, and nothing else of its tenant."""

import django_filters
from django.db.models import QuerySet
from django.utils import timezone
from drf_spectacular.utils import extend_schema
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response

from portal.api import words
from portal.api.idempotency import idempotent
from portal.api.resources import Resource, described_only
from portal.tenants import joining, scoping
from portal.tenants.access import Action
from portal.tenants.models import ProjectMembership


class ProjectMemberSerializer(serializers.ModelSerializer[ProjectMembership]):
    """A person in a project."""

    project = serializers.IntegerField(source="project_id")
    email = serializers.EmailField(source="user.email")
    name = serializers.CharField(source="user.name")
    role = serializers.ChoiceField(choices=words.PROJECT_ROLES)

    class Meta:
        model = ProjectMembership
        fields = ("id", "project", "email", "name", "role", "created_at")


class NewProjectMemberSerializer(serializers.Serializer[ProjectMembership]):
    """What it takes to open a project to somebody."""

    project = serializers.IntegerField()
    email = serializers.EmailField()
    role = serializers.ChoiceField(choices=words.PROJECT_ROLES)


class ProjectMemberFilter(django_filters.FilterSet):
    """By project."""

    project = django_filters.NumberFilter(field_name="project_id")

    class Meta:
        model = ProjectMembership
        fields = ("project",)


class ProjectMemberViewSet(Resource):
    """Project members."""

    serializer_class = ProjectMemberSerializer
    filterset_class = ProjectMemberFilter
    lookup_value_converter = "int"

    def get_queryset(self) -> QuerySet[ProjectMembership]:
        """Those the caller may see."""
        if described_only(self):
            return ProjectMembership.objects.none()
        return scoping.project_members_of(self.caller)

    def list(self, request: Request) -> Response:
        """List project members."""
        return self.page(self.get_queryset())

    @extend_schema(request=NewProjectMemberSerializer, responses={201: ProjectMemberSerializer})
    @idempotent
    def create(self, request: Request) -> Response:
        """Open a project to somebody who has signed up."""
        body = self.read(NewProjectMemberSerializer)
        project = scoping.project_for(self.caller, body.pop("project"), Action.MANAGE_MEMBERS)
        member = joining.add_project_member(project=project, **body, at=timezone.now())
        return self.answer(member, status=201)

    def destroy(self, request: Request, pk: int) -> Response:
        """Close a project to somebody."""
        member = scoping.project_member_for(self.caller, pk, Action.MANAGE_MEMBERS)
        joining.remove_project_member(membership=member)
        return Response(status=204)
