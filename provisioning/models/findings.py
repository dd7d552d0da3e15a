"""What looking into a cluster has found."""

from django.db import models

from provisioning.models.clusters import Cluster


class Question(models.TextChoices):
    """What is asked of a cluster before its devices are sold."""

    VERSION = "version"
    WATCHER = "watcher"
    WORKER = "worker"
    ACCESS = "access"
    DEVICES = "devices"
    DEVICE_IDS = "device_ids"
    DEVICE_ACCESS = "device_access"
    NETWORK_POLICY = "network_policy"
    GATEWAY_API = "gateway_api"


class Verdict(models.TextChoices):
    """How an answer is to be taken."""

    OK = "ok"
    FAILED = "failed"
    NOT_TRIED = "not_tried"


class ClusterFinding(models.Model):
    """One row is the latest answer to one question about one cluster.

    `detail` is the sentence behind the verdict, `facts` what it rests on.
    """

    cluster = models.ForeignKey(Cluster, on_delete=models.CASCADE, related_name="findings")
    question = models.CharField(max_length=20, choices=Question.choices)
    verdict = models.CharField(max_length=10, choices=Verdict.choices)
    detail = models.TextField(blank=True)
    facts = models.JSONField(default=dict, blank=True)
    found_at = models.DateTimeField()

    class Meta:
        ordering = ["cluster", "question"]
        constraints = [
            models.UniqueConstraint(fields=["cluster", "question"], name="finding_once"),
        ]

    def __str__(self) -> str:
        return f"{self.cluster}: {self.question} {self.verdict}"
