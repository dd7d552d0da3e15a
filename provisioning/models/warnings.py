"""What an operator should know about a node, and nobody else can settle."""

from django.db import models

from provisioning.models.clusters import Cluster


class NodeWarning(models.Model):
    """One row is one thing that is odd about a node's devices, from when it was seen until cleared.

    `subject` is the resource name or the family it is about; a warning repeats itself in
    `seen_at` and never in a second row.
    """

    cluster = models.ForeignKey(Cluster, on_delete=models.CASCADE, related_name="node_warnings")
    node_name = models.CharField(max_length=253)
    code = models.CharField(max_length=40)
    subject = models.CharField(max_length=120)
    message = models.TextField()
    first_seen_at = models.DateTimeField()
    seen_at = models.DateTimeField()
    cleared_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        ordering = ["cluster", "node_name", "code"]
        constraints = [
            models.UniqueConstraint(
                fields=["cluster", "node_name", "code", "subject"],
                condition=models.Q(cleared_at__isnull=True),
                name="node_warning_open_once",
            ),
        ]

    def __str__(self) -> str:
        return f"{self.node_name}: {self.code} {self.subject}"
