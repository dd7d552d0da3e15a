"""Clusters declared lost, the word that did it, and the attempts that ended with them."""

import django.db.models.deletion
from django.db import migrations, models

import provisioning.states

FORBID = """
CREATE TRIGGER only_grows BEFORE UPDATE OR DELETE ON provisioning_clusterloss
    FOR EACH ROW EXECUTE FUNCTION provisioning_only_grows();
"""
ALLOW = "DROP TRIGGER only_grows ON provisioning_clusterloss;"


class Migration(migrations.Migration):
    dependencies = [
        ("provisioning", "0014_registry_logins"),
    ]

    operations = [
        migrations.AddField(
            model_name="attempt",
            name="lost_at",
            field=models.DateTimeField(blank=True, null=True),
        ),
        migrations.AlterField(
            model_name="cluster",
            name="state",
            field=models.CharField(
                choices=[
                    ("active", "Active"),
                    ("paused", "Paused"),
                    ("draining", "Draining"),
                    ("lost", "Lost"),
                    ("removed", "Removed"),
                ],
                default="active",
                max_length=10,
            ),
        ),
        migrations.AlterField(
            model_name="observedpod",
            name="settlement",
            field=models.CharField(
                choices=[
                    ("never_ran", "never_ran"),
                    ("open", "open"),
                    ("closed", "closed"),
                    ("lost", "lost"),
                ],
                default=provisioning.states.Settlement["NEVER_RAN"],
                max_length=10,
            ),
        ),
        migrations.CreateModel(
            name="ClusterLoss",
            fields=[
                (
                    "id",
                    models.BigAutoField(
                        auto_created=True, primary_key=True, serialize=False, verbose_name="ID"
                    ),
                ),
                ("declared_at", models.DateTimeField()),
                ("declared_by", models.CharField(max_length=254)),
                ("reason", models.CharField(max_length=500)),
                ("heard_at", models.DateTimeField(blank=True, null=True)),
                ("instance_count", models.PositiveIntegerField()),
                ("run_count", models.PositiveIntegerField()),
                ("volume_count", models.PositiveIntegerField()),
                (
                    "cluster",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="losses",
                        to="provisioning.cluster",
                    ),
                ),
            ],
            options={
                "verbose_name_plural": "cluster losses",
                "ordering": ["-declared_at"],
            },
        ),
        migrations.RunSQL(FORBID, ALLOW),
    ]
