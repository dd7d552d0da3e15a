"""The shared gateways by which browsers come to the hosts of instances' ports."""

from django.db import models
from django.db.models import Q

from provisioning.models.clusters import Cluster


class ClusterGateway(models.Model):
    """One row is the gateway at one cluster's edge, as an operator named it.

    `namespace` is where the portal's own Service stands, and where the routes to it are
    made.  A row with `removed_at` stays until its routes are gone from the cluster.
    """

    cluster = models.OneToOneField(Cluster, on_delete=models.PROTECT, related_name="gateway")
    gateway_namespace = models.CharField(max_length=63)
    gateway_name = models.CharField(max_length=253)
    namespace = models.CharField(max_length=63)
    service_name = models.CharField(max_length=63)
    service_port = models.PositiveIntegerField()
    set_at = models.DateTimeField()
    set_by = models.CharField(max_length=254)
    removed_at = models.DateTimeField(null=True, blank=True)
    # Written by the sweep: what it brought about last, and what the cluster said of it.
    looked_at = models.DateTimeField(null=True, blank=True)
    applied_hash = models.CharField(max_length=64, blank=True)
    route_count = models.PositiveIntegerField(default=0)
    message = models.CharField(max_length=1000, blank=True)

    class Meta:
        constraints = [
            models.CheckConstraint(
                condition=Q(service_port__gte=1, service_port__lte=65535),
                name="gateway_service_port_can_exist",
            ),
        ]

    def __str__(self) -> str:
        return f"{self.cluster}: {self.gateway_namespace}/{self.gateway_name}"
