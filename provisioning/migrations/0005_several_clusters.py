"""Credentials per identity, what clusters were found to be, and clusters that leave."""

import django.db.models.deletion
from django.db import migrations, models

IDENTITIES = [("watcher", "watcher"), ("worker", "worker"), ("access", "access")]
QUESTIONS = [
    ("version", "Version"),
    ("watcher", "Watcher"),
    ("worker", "Worker"),
    ("access", "Access"),
    ("devices", "Devices"),
    ("device_ids", "Device Ids"),
    ("device_access", "Device Access"),
    ("network_policy", "Network Policy"),
]
VERDICTS = [("ok", "Ok"), ("failed", "Failed"), ("not_tried", "Not Tried")]
BIG_ID = models.BigAutoField(
    auto_created=True, primary_key=True, serialize=False, verbose_name="ID"
)


def of_cluster(related_name: str) -> models.ForeignKey:
    return models.ForeignKey(
        on_delete=django.db.models.deletion.CASCADE,
        related_name=related_name,
        to="provisioning.cluster",
    )


class Migration(migrations.Migration):
    dependencies = [("provisioning", "0004_vendor_facts")]
    operations = [
        migrations.AddField("cluster", "uid", models.UUIDField(blank=True, null=True)),
        migrations.AddField(
            "cluster", "credentials_revision", models.PositiveIntegerField(default=0)
        ),
        migrations.AddField(
            "cluster", "examination_started_at", models.DateTimeField(blank=True, null=True)
        ),
        migrations.AddField("cluster", "removed_at", models.DateTimeField(blank=True, null=True)),
        migrations.AddConstraint(
            "cluster",
            models.UniqueConstraint(
                condition=models.Q(("state", "removed"), _negated=True),
                fields=("uid",),
                name="cluster_once_among_the_kept",
            ),
        ),
        migrations.CreateModel(
            name="ClusterCredential",
            fields=[
                ("id", BIG_ID),
                ("identity", models.CharField(choices=IDENTITIES, max_length=10)),
                ("kubeconfig_encrypted", models.BinaryField()),
                ("added_at", models.DateTimeField()),
                ("cluster", of_cluster("credentials")),
            ],
            options={
                "ordering": ["cluster", "identity"],
                "constraints": [
                    models.UniqueConstraint(
                        fields=("cluster", "identity"), name="credential_once_per_identity"
                    )
                ],
            },
        ),
        migrations.CreateModel(
            name="ClusterFinding",
            fields=[
                ("id", BIG_ID.clone()),
                ("question", models.CharField(choices=QUESTIONS, max_length=20)),
                ("verdict", models.CharField(choices=VERDICTS, max_length=10)),
                ("detail", models.TextField(blank=True)),
                ("facts", models.JSONField(blank=True, default=dict)),
                ("found_at", models.DateTimeField()),
                ("cluster", of_cluster("findings")),
            ],
            options={
                "ordering": ["cluster", "question"],
                "constraints": [
                    models.UniqueConstraint(fields=("cluster", "question"), name="finding_once")
                ],
            },
        ),
    ]
