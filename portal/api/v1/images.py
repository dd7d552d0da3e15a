"""Images: what an instance can start with."""

from django.db.models import QuerySet
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response

from portal.api.resources import Resource
from provisioning.models import RuntimeImage


class ImageSerializer(serializers.ModelSerializer[RuntimeImage]):
    """A container image on offer."""

    class Meta:
        model = RuntimeImage
        fields = ("slug", "name", "reference")


class ImageViewSet(Resource):
    """Images."""

    serializer_class = ImageSerializer
    page_order = "slug"

    def get_queryset(self) -> QuerySet[RuntimeImage]:
        """Those on offer: the same to everybody."""
        return RuntimeImage.objects.filter(is_retired=False)

    def list(self, request: Request) -> Response:
        """List the images on offer."""
        return self.page(self.get_queryset())
