"""Credentials of a cluster for one identity each, where it has more than one."""

from django.db import models

from provisioning.models.clusters import Cluster
from provisioning.states import Identity


class ClusterCredential(models.Model):
    """One row is how one identity reaches one cluster, instead of the cluster's own kubeconfig."""

    cluster = models.ForeignKey(Cluster, on_delete=models.CASCADE, related_name="credentials")
    identity = models.CharField(max_length=10, choices=[(one.value, one.value) for one in Identity])
    kubeconfig_encrypted = models.BinaryField()
    added_at = models.DateTimeField()

    class Meta:
        ordering = ["cluster", "identity"]
        constraints = [
            models.UniqueConstraint(
                fields=["cluster", "identity"], name="credential_once_per_identity"
            ),
        ]

    def __str__(self) -> str:
        return f"{self.cluster}: {self.identity}"
