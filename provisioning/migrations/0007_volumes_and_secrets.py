import uuid

import django.contrib.postgres.constraints
import django.db.models.deletion
from django.db import migrations, models

import provisioning.models.instances
import provisioning.states

GUARD = """
CREATE FUNCTION provisioning_span_ends_once() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF TG_OP = 'UPDATE' AND OLD.ended_at IS NULL
        AND (to_jsonb(NEW) - 'ended_at' - 'end_reason')
            = (to_jsonb(OLD) - 'ended_at' - 'end_reason') THEN
        RETURN NEW;
    END IF;
    RAISE EXCEPTION '% only grows: % refused', TG_TABLE_NAME, TG_OP
        USING ERRCODE = 'restrict_violation';
END
$$;
CREATE TRIGGER span_ends_once BEFORE UPDATE OR DELETE ON provisioning_volumespan
    FOR EACH ROW EXECUTE FUNCTION provisioning_span_ends_once();
"""
UNGUARD = """
DROP TRIGGER span_ends_once ON provisioning_volumespan;
DROP FUNCTION provisioning_span_ends_once();
"""


class Migration(migrations.Migration):
    dependencies = [
        ("billing", "0002_guards"),
        ("provisioning", "0006_faults"),
    ]

    operations = [
        migrations.CreateModel(
            name="TenantImage",
            fields=[
                (
                    "id",
                    models.BigAutoField(
                        auto_created=True, primary_key=True, serialize=False, verbose_name="ID"
                    ),
                ),
                ("tenant_id", models.BigIntegerField()),
                ("pattern", models.CharField(max_length=300)),
                ("note", models.CharField(blank=True, max_length=200)),
                ("allowed_by", models.CharField(max_length=150)),
                ("allowed_at", models.DateTimeField()),
                ("withdrawn_by", models.CharField(blank=True, max_length=150)),
                ("withdrawn_at", models.DateTimeField(blank=True, null=True)),
            ],
            options={
                "ordering": ["tenant_id", "pattern"],
                "constraints": [
                    models.UniqueConstraint(
                        condition=models.Q(("withdrawn_at__isnull", True)),
                        fields=("tenant_id", "pattern"),
                        name="tenant_image_once_per_pattern",
                    )
                ],
            },
        ),
        migrations.CreateModel(
            name="Volume",
            fields=[
                (
                    "id",
                    models.UUIDField(
                        default=uuid.uuid4, editable=False, primary_key=True, serialize=False
                    ),
                ),
                ("tenant_id", models.BigIntegerField()),
                ("project_id", models.BigIntegerField()),
                ("name", models.CharField(max_length=63)),
                ("size_gib", models.PositiveIntegerField()),
                ("is_wanted", models.BooleanField(default=True)),
                ("generation", models.PositiveIntegerField(default=1)),
                ("expires_at", models.DateTimeField(blank=True, null=True)),
                ("warned_at", models.DateTimeField(blank=True, null=True)),
                ("namespace", models.CharField(max_length=63)),
                ("claim_name", models.CharField(max_length=63)),
                ("storage_class", models.CharField(blank=True, max_length=253)),
                ("claim_uid", models.UUIDField(blank=True, null=True)),
                ("capacity_gib", models.PositiveIntegerField(blank=True, null=True)),
                (
                    "state",
                    models.CharField(
                        choices=[
                            ("pending", "pending"),
                            ("ready", "ready"),
                            ("deleting", "deleting"),
                            ("deleted", "deleted"),
                            ("lost", "lost"),
                        ],
                        default=provisioning.states.VolumeState["PENDING"],
                        max_length=8,
                    ),
                ),
                ("reason", models.CharField(blank=True, max_length=60)),
                ("message", models.TextField(blank=True)),
                ("state_since", models.DateTimeField()),
                ("failures", models.PositiveIntegerField(default=0)),
                ("next_reconcile_at", models.DateTimeField(blank=True, null=True)),
                ("lease_token", models.UUIDField(blank=True, null=True)),
                ("lease_until", models.DateTimeField(blank=True, null=True)),
                ("seen_at", models.DateTimeField(blank=True, null=True)),
                ("created_at", models.DateTimeField()),
                ("bound_at", models.DateTimeField(blank=True, null=True)),
                ("deleted_at", models.DateTimeField(blank=True, null=True)),
                (
                    "account",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="+",
                        to="billing.account",
                    ),
                ),
                (
                    "cluster",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="volumes",
                        to="provisioning.cluster",
                    ),
                ),
            ],
            options={
                "ordering": ["-created_at"],
            },
        ),
        migrations.CreateModel(
            name="InstanceVolume",
            fields=[
                (
                    "id",
                    models.BigAutoField(
                        auto_created=True, primary_key=True, serialize=False, verbose_name="ID"
                    ),
                ),
                ("path", models.CharField(max_length=200)),
                (
                    "instance",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="volumes",
                        to="provisioning.instance",
                    ),
                ),
                (
                    "volume",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="mounts",
                        to="provisioning.volume",
                    ),
                ),
            ],
            options={
                "ordering": ["path"],
            },
        ),
        migrations.CreateModel(
            name="VolumeAttachment",
            fields=[
                (
                    "id",
                    models.BigAutoField(
                        auto_created=True, primary_key=True, serialize=False, verbose_name="ID"
                    ),
                ),
                ("path", models.CharField(max_length=200)),
                ("attached_at", models.DateTimeField()),
                ("detached_at", models.DateTimeField(blank=True, null=True)),
                (
                    "attempt",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="attachments",
                        to="provisioning.attempt",
                    ),
                ),
                (
                    "instance",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="+",
                        to="provisioning.instance",
                    ),
                ),
                (
                    "volume",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="attachments",
                        to="provisioning.volume",
                    ),
                ),
            ],
            options={
                "ordering": ["attached_at", "id"],
            },
        ),
        migrations.CreateModel(
            name="VolumeSpan",
            fields=[
                (
                    "id",
                    models.BigAutoField(
                        auto_created=True, primary_key=True, serialize=False, verbose_name="ID"
                    ),
                ),
                ("no", models.PositiveIntegerField()),
                ("size_gib", models.PositiveIntegerField()),
                ("started_at", models.DateTimeField()),
                ("ended_at", models.DateTimeField(blank=True, null=True)),
                ("end_reason", models.CharField(blank=True, max_length=60)),
                (
                    "volume",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="spans",
                        to="provisioning.volume",
                    ),
                ),
            ],
            options={
                "ordering": ["volume", "no"],
            },
        ),
        migrations.CreateModel(
            name="ConfidedSecret",
            fields=[
                (
                    "id",
                    models.BigAutoField(
                        auto_created=True, primary_key=True, serialize=False, verbose_name="ID"
                    ),
                ),
                ("name", models.CharField(max_length=63)),
                ("intended_at", models.DateTimeField()),
                ("deleted_at", models.DateTimeField(blank=True, null=True)),
                (
                    "attempt",
                    models.OneToOneField(
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="confided",
                        to="provisioning.attempt",
                    ),
                ),
            ],
            options={
                "indexes": [
                    models.Index(
                        condition=models.Q(("deleted_at__isnull", True)),
                        fields=["attempt"],
                        name="confided_secret_present",
                    )
                ],
            },
        ),
        migrations.CreateModel(
            name="InstanceSecret",
            fields=[
                (
                    "id",
                    models.BigAutoField(
                        auto_created=True, primary_key=True, serialize=False, verbose_name="ID"
                    ),
                ),
                (
                    "kind",
                    models.CharField(choices=[("env", "env"), ("file", "file")], max_length=5),
                ),
                ("name", models.CharField(max_length=100)),
                ("value_sealed", models.BinaryField(null=True)),
                ("digest", models.CharField(max_length=64)),
                ("created_at", models.DateTimeField()),
                (
                    "instance",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="secrets",
                        to="provisioning.instance",
                    ),
                ),
            ],
            options={
                "ordering": ["instance", "kind", "name"],
                "constraints": [
                    models.UniqueConstraint(
                        fields=("instance", "kind", "name"), name="secret_once_per_instance"
                    )
                ],
            },
        ),
        migrations.AddIndex(
            model_name="volume",
            index=models.Index(
                condition=models.Q(("next_reconcile_at__isnull", False)),
                fields=["next_reconcile_at"],
                name="volume_due",
            ),
        ),
        migrations.AddIndex(
            model_name="volume",
            index=models.Index(fields=["project_id"], name="volume_of_project"),
        ),
        migrations.AddConstraint(
            model_name="volume",
            constraint=models.UniqueConstraint(
                condition=models.Q(("is_wanted", True)),
                fields=("tenant_id", "name"),
                name="volume_name_once_per_tenant",
            ),
        ),
        migrations.AddConstraint(
            model_name="volume",
            constraint=models.UniqueConstraint(
                fields=("cluster", "namespace", "claim_name"), name="volume_claim_once_per_cluster"
            ),
        ),
        migrations.AddConstraint(
            model_name="volume",
            constraint=models.CheckConstraint(
                condition=models.Q(
                    ("state__in", ["pending", "ready", "deleting", "deleted", "lost"])
                ),
                name="volume_state_known",
            ),
        ),
        migrations.AddConstraint(
            model_name="volume",
            constraint=models.CheckConstraint(
                condition=models.Q(("size_gib__gt", 0)), name="volume_has_size"
            ),
        ),
        migrations.AddConstraint(
            model_name="instancevolume",
            constraint=models.UniqueConstraint(
                fields=("instance", "volume"), name="instance_volume_once_per_instance"
            ),
        ),
        migrations.AddConstraint(
            model_name="instancevolume",
            constraint=models.UniqueConstraint(
                fields=("instance", "path"), name="instance_volume_path_once"
            ),
        ),
        migrations.AddConstraint(
            model_name="volumeattachment",
            constraint=models.UniqueConstraint(
                condition=models.Q(("detached_at__isnull", True)),
                fields=("volume",),
                name="volume_attached_once_at_a_time",
            ),
        ),
        migrations.AddConstraint(
            model_name="volumeattachment",
            constraint=models.UniqueConstraint(
                fields=("attempt", "volume"), name="attachment_once_per_attempt"
            ),
        ),
        migrations.AddConstraint(
            model_name="volumespan",
            constraint=models.UniqueConstraint(
                fields=("volume", "no"), name="volume_span_numbered_once"
            ),
        ),
        migrations.AddConstraint(
            model_name="volumespan",
            constraint=django.contrib.postgres.constraints.ExclusionConstraint(
                expressions=[
                    ("volume", "="),
                    (provisioning.models.instances.TsTzRange("started_at", "ended_at"), "&&"),
                ],
                name="volume_has_one_size_at_a_time",
            ),
        ),
        migrations.AddConstraint(
            model_name="volumespan",
            constraint=models.CheckConstraint(
                condition=models.Q(
                    ("ended_at__isnull", True),
                    ("ended_at__gte", models.F("started_at")),
                    _connector="OR",
                ),
                name="volume_span_ends_after_start",
            ),
        ),
        migrations.RunSQL(GUARD, UNGUARD),
    ]
