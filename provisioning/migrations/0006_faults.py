"""Alarms of clusters, releases of orphans, and what faults leave behind on rows."""

import django.db.models.deletion
from django.db import migrations, models

FORBID = """
CREATE TRIGGER only_grows BEFORE UPDATE OR DELETE ON provisioning_orphanrelease
    FOR EACH ROW EXECUTE FUNCTION provisioning_only_grows();
"""
ALLOW = "DROP TRIGGER only_grows ON provisioning_orphanrelease;"

BIG_ID = models.BigAutoField(
    auto_created=True, primary_key=True, serialize=False, verbose_name="ID"
)


class Migration(migrations.Migration):
    dependencies = [("provisioning", "0005_several_clusters")]

    operations = [
        migrations.AddField("attempt", "avoided_nodes", models.JSONField(blank=True, default=list)),
        migrations.AddField(
            "cluster", "breaker_since", models.DateTimeField(blank=True, null=True)
        ),
        migrations.AddField(
            "cluster", "throttled_until", models.DateTimeField(blank=True, null=True)
        ),
        migrations.AddField("cluster", "paced_at", models.DateTimeField(blank=True, null=True)),
        migrations.AddField("deadletter", "outcome", models.CharField(blank=True, max_length=10)),
        migrations.AddField(
            "deadletter", "close_reason", models.CharField(blank=True, max_length=500)
        ),
        migrations.AddField(
            "tenantnamespace", "terminating_since", models.DateTimeField(blank=True, null=True)
        ),
        migrations.CreateModel(
            name="ClusterAlarm",
            fields=[
                ("id", BIG_ID),
                ("code", models.CharField(max_length=60)),
                ("subject", models.CharField(blank=True, max_length=253)),
                ("message", models.TextField(blank=True)),
                ("count", models.PositiveIntegerField(default=1)),
                ("first_at", models.DateTimeField()),
                ("last_at", models.DateTimeField()),
                ("closed_at", models.DateTimeField(blank=True, null=True)),
                ("closed_by", models.CharField(blank=True, max_length=150)),
                ("close_reason", models.CharField(blank=True, max_length=500)),
                (
                    "cluster",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="alarms",
                        to="provisioning.cluster",
                    ),
                ),
            ],
            options={
                "ordering": ["-last_at"],
                "constraints": [
                    models.UniqueConstraint(
                        condition=models.Q(("closed_at__isnull", True)),
                        fields=("cluster", "code", "subject"),
                        name="cluster_alarm_open_once",
                    )
                ],
            },
        ),
        migrations.CreateModel(
            name="OrphanRelease",
            fields=[
                ("id", BIG_ID),
                ("uids", models.JSONField()),
                ("released_at", models.DateTimeField()),
                ("released_by", models.CharField(max_length=150)),
                ("reason", models.CharField(max_length=500)),
                (
                    "cluster",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="orphan_releases",
                        to="provisioning.cluster",
                    ),
                ),
            ],
            options={"ordering": ["-released_at"]},
        ),
        migrations.RunSQL(FORBID, ALLOW),
    ]
