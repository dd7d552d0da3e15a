import uuid

import django.contrib.postgres.constraints
import django.db.models.deletion
from django.contrib.postgres.operations import BtreeGistExtension
from django.db import migrations, models

import provisioning.models.instances
import provisioning.states


class Migration(migrations.Migration):
    initial = True

    dependencies = [
        ("billing", "0001_initial"),
    ]

    operations = [
        BtreeGistExtension(),
        migrations.CreateModel(
            name="Cluster",
            fields=[
                (
                    "id",
                    models.BigAutoField(
                        auto_created=True, primary_key=True, serialize=False, verbose_name="ID"
                    ),
                ),
                ("name", models.SlugField(max_length=40, unique=True)),
                ("kubeconfig_encrypted", models.BinaryField()),
                (
                    "state",
                    models.CharField(
                        choices=[
                            ("active", "Active"),
                            ("paused", "Paused"),
                            ("draining", "Draining"),
                            ("removed", "Removed"),
                        ],
                        default="active",
                        max_length=10,
                    ),
                ),
                ("server_version", models.CharField(blank=True, max_length=40)),
                ("probe", models.JSONField(blank=True, default=dict)),
                ("added_at", models.DateTimeField()),
                ("last_list_at", models.DateTimeField(blank=True, null=True)),
                ("last_event_at", models.DateTimeField(blank=True, null=True)),
                ("breaker_until", models.DateTimeField(blank=True, null=True)),
                ("breaker_failures", models.PositiveIntegerField(default=0)),
            ],
            options={
                "ordering": ["name"],
            },
        ),
        migrations.CreateModel(
            name="Family",
            fields=[
                (
                    "id",
                    models.BigAutoField(
                        auto_created=True, primary_key=True, serialize=False, verbose_name="ID"
                    ),
                ),
                ("slug", models.SlugField(max_length=40, unique=True)),
                ("name", models.CharField(max_length=80)),
                ("resource_names", models.JSONField(blank=True, default=list)),
                ("specs", models.JSONField(blank=True, default=dict)),
                (
                    "confidence",
                    models.CharField(
                        choices=[
                            ("confirmed", "Confirmed"),
                            ("partial", "Partial"),
                            ("unconfirmed", "Unconfirmed"),
                        ],
                        max_length=12,
                    ),
                ),
            ],
            options={
                "verbose_name_plural": "families",
                "ordering": ["slug"],
            },
        ),
        migrations.CreateModel(
            name="RuntimeImage",
            fields=[
                (
                    "id",
                    models.BigAutoField(
                        auto_created=True, primary_key=True, serialize=False, verbose_name="ID"
                    ),
                ),
                ("slug", models.SlugField(max_length=60, unique=True)),
                ("name", models.CharField(max_length=80)),
                ("reference", models.CharField(max_length=300)),
                ("is_retired", models.BooleanField(default=False)),
            ],
            options={
                "ordering": ["slug"],
            },
        ),
        migrations.CreateModel(
            name="Vendor",
            fields=[
                (
                    "id",
                    models.BigAutoField(
                        auto_created=True, primary_key=True, serialize=False, verbose_name="ID"
                    ),
                ),
                ("slug", models.SlugField(max_length=40, unique=True)),
                ("name", models.CharField(max_length=80)),
            ],
            options={
                "ordering": ["name"],
            },
        ),
        migrations.CreateModel(
            name="Installation",
            fields=[
                (
                    "id",
                    models.PositiveSmallIntegerField(default=1, primary_key=True, serialize=False),
                ),
                ("key", models.CharField(max_length=20, unique=True)),
                ("domain", models.CharField(max_length=100)),
            ],
            options={
                "constraints": [
                    models.CheckConstraint(
                        condition=models.Q(("id", 1)), name="installation_is_single"
                    )
                ],
            },
        ),
        migrations.CreateModel(
            name="InstanceType",
            fields=[
                (
                    "id",
                    models.BigAutoField(
                        auto_created=True, primary_key=True, serialize=False, verbose_name="ID"
                    ),
                ),
                ("slug", models.SlugField(max_length=60, unique=True)),
                ("name", models.CharField(max_length=80)),
                ("device_count", models.PositiveIntegerField()),
                ("cpu_millicores", models.PositiveIntegerField()),
                ("memory_mib", models.PositiveIntegerField()),
                ("storage_gib", models.PositiveIntegerField()),
                ("sku_code", models.CharField(max_length=60)),
                ("is_retired", models.BooleanField(default=False)),
                (
                    "family",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="instance_types",
                        to="provisioning.family",
                    ),
                ),
            ],
            options={
                "ordering": ["family", "device_count"],
            },
        ),
        migrations.CreateModel(
            name="Node",
            fields=[
                (
                    "id",
                    models.BigAutoField(
                        auto_created=True, primary_key=True, serialize=False, verbose_name="ID"
                    ),
                ),
                ("name", models.CharField(max_length=253)),
                ("uid", models.UUIDField()),
                ("boot_id", models.CharField(blank=True, max_length=64)),
                ("is_ready", models.BooleanField(default=False)),
                ("is_schedulable", models.BooleanField(default=True)),
                ("lease_renewed_at", models.DateTimeField(blank=True, null=True)),
                ("seen_at", models.DateTimeField()),
                ("gone_at", models.DateTimeField(blank=True, null=True)),
                (
                    "cluster",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="nodes",
                        to="provisioning.cluster",
                    ),
                ),
            ],
            options={
                "ordering": ["cluster", "name"],
            },
        ),
        migrations.CreateModel(
            name="ObservedPod",
            fields=[
                (
                    "id",
                    models.BigAutoField(
                        auto_created=True, primary_key=True, serialize=False, verbose_name="ID"
                    ),
                ),
                ("uid", models.UUIDField()),
                ("namespace", models.CharField(max_length=63)),
                ("name", models.CharField(max_length=253)),
                ("resource_version", models.CharField(max_length=60)),
                ("instance_id", models.UUIDField(null=True)),
                ("attempt_no", models.PositiveIntegerField(null=True)),
                ("spec_hash", models.CharField(blank=True, max_length=64)),
                ("phase", models.CharField(max_length=20)),
                ("reason", models.CharField(blank=True, max_length=120)),
                ("message", models.TextField(blank=True)),
                ("node_name", models.CharField(blank=True, max_length=253)),
                ("is_ready", models.BooleanField(default=False)),
                ("unschedulable_message", models.TextField(blank=True)),
                ("disruption_reason", models.CharField(blank=True, max_length=60)),
                ("container_id", models.CharField(blank=True, max_length=200)),
                ("container_state", models.CharField(blank=True, max_length=12)),
                ("waiting_reason", models.CharField(blank=True, max_length=120)),
                ("waiting_message", models.TextField(blank=True)),
                ("started_at", models.DateTimeField(null=True)),
                ("finished_at", models.DateTimeField(null=True)),
                ("exit_code", models.IntegerField(null=True)),
                ("exit_reason", models.CharField(blank=True, max_length=120)),
                ("devices", models.JSONField(default=list)),
                ("is_deleting", models.BooleanField(default=False)),
                ("has_finalizer", models.BooleanField(default=False)),
                (
                    "settlement",
                    models.CharField(
                        choices=[
                            ("never_ran", "never_ran"),
                            ("open", "open"),
                            ("closed", "closed"),
                        ],
                        default=provisioning.states.Settlement["NEVER_RAN"],
                        max_length=10,
                    ),
                ),
                ("witness_ref", models.CharField(blank=True, max_length=200)),
                ("first_seen_at", models.DateTimeField()),
                ("seen_at", models.DateTimeField()),
                ("gone_at", models.DateTimeField(null=True)),
                (
                    "cluster",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="observed_pods",
                        to="provisioning.cluster",
                    ),
                ),
            ],
        ),
        migrations.CreateModel(
            name="Pool",
            fields=[
                (
                    "id",
                    models.BigAutoField(
                        auto_created=True, primary_key=True, serialize=False, verbose_name="ID"
                    ),
                ),
                ("resource_name", models.CharField(max_length=120)),
                (
                    "allocation",
                    models.CharField(
                        choices=[("device_plugin", "Device Plugin"), ("dra", "Dra")],
                        default="device_plugin",
                        max_length=14,
                    ),
                ),
                (
                    "device_ids",
                    models.CharField(
                        choices=[
                            ("status", "Status"),
                            ("pod_resources", "Pod Resources"),
                            ("none", "None"),
                        ],
                        default="status",
                        max_length=14,
                    ),
                ),
                (
                    "cluster",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="pools",
                        to="provisioning.cluster",
                    ),
                ),
                (
                    "family",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="pools",
                        to="provisioning.family",
                    ),
                ),
            ],
            options={
                "ordering": ["cluster", "resource_name"],
            },
        ),
        migrations.CreateModel(
            name="NodeCapacity",
            fields=[
                (
                    "id",
                    models.BigAutoField(
                        auto_created=True, primary_key=True, serialize=False, verbose_name="ID"
                    ),
                ),
                ("capacity", models.PositiveIntegerField()),
                ("allocatable", models.PositiveIntegerField()),
                (
                    "node",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.CASCADE,
                        related_name="capacities",
                        to="provisioning.node",
                    ),
                ),
                (
                    "pool",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.CASCADE,
                        related_name="capacities",
                        to="provisioning.pool",
                    ),
                ),
            ],
        ),
        migrations.CreateModel(
            name="Instance",
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
                ("device_count", models.PositiveIntegerField()),
                ("cpu_millicores", models.PositiveIntegerField()),
                ("memory_mib", models.PositiveIntegerField()),
                ("storage_gib", models.PositiveIntegerField()),
                ("sku_code", models.CharField(max_length=60)),
                ("image", models.CharField(max_length=300)),
                ("command", models.JSONField(blank=True, default=list)),
                ("environment", models.JSONField(blank=True, default=dict)),
                (
                    "desired",
                    models.CharField(
                        choices=[
                            ("running", "running"),
                            ("stopped", "stopped"),
                            ("terminated", "terminated"),
                        ],
                        max_length=10,
                    ),
                ),
                ("generation", models.PositiveIntegerField(default=1)),
                ("launch_no", models.PositiveIntegerField(default=1)),
                ("launched_at", models.DateTimeField()),
                ("ends_at", models.DateTimeField(blank=True, null=True)),
                ("observation_seq", models.PositiveBigIntegerField(default=0)),
                (
                    "state",
                    models.CharField(
                        choices=[
                            ("queued", "queued"),
                            ("provisioning", "provisioning"),
                            ("scheduling", "scheduling"),
                            ("starting", "starting"),
                            ("running", "running"),
                            ("unreachable", "unreachable"),
                            ("recovering", "recovering"),
                            ("stopping", "stopping"),
                            ("stopped", "stopped"),
                            ("failed", "failed"),
                            ("terminating", "terminating"),
                            ("terminated", "terminated"),
                        ],
                        default=provisioning.states.State["QUEUED"],
                        max_length=12,
                    ),
                ),
                ("reason", models.CharField(blank=True, max_length=60)),
                ("message", models.TextField(blank=True)),
                ("state_since", models.DateTimeField()),
                ("settled_launch_no", models.PositiveIntegerField(default=0)),
                ("attempt_no", models.PositiveIntegerField(default=0)),
                ("failures", models.PositiveIntegerField(default=0)),
                ("next_reconcile_at", models.DateTimeField(blank=True, null=True)),
                ("lease_token", models.UUIDField(blank=True, null=True)),
                ("lease_until", models.DateTimeField(blank=True, null=True)),
                ("created_at", models.DateTimeField()),
                (
                    "account",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="+",
                        to="billing.account",
                    ),
                ),
                (
                    "instance_type",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="instances",
                        to="provisioning.instancetype",
                    ),
                ),
                (
                    "pool",
                    models.ForeignKey(
                        blank=True,
                        null=True,
                        on_delete=django.db.models.deletion.PROTECT,
                        to="provisioning.pool",
                    ),
                ),
            ],
            options={
                "ordering": ["-created_at"],
            },
        ),
        migrations.CreateModel(
            name="Attempt",
            fields=[
                (
                    "id",
                    models.BigAutoField(
                        auto_created=True, primary_key=True, serialize=False, verbose_name="ID"
                    ),
                ),
                ("no", models.PositiveIntegerField()),
                ("launch_no", models.PositiveIntegerField()),
                ("namespace", models.CharField(max_length=63)),
                ("pod_name", models.CharField(max_length=63)),
                ("spec_hash", models.CharField(max_length=64)),
                ("device_count", models.PositiveIntegerField()),
                (
                    "state",
                    models.CharField(
                        choices=[
                            ("intended", "intended"),
                            ("created", "created"),
                            ("gone", "gone"),
                        ],
                        default=provisioning.states.AttemptState["INTENDED"],
                        max_length=8,
                    ),
                ),
                ("uid", models.UUIDField(blank=True, null=True)),
                ("intended_at", models.DateTimeField()),
                ("created_at", models.DateTimeField(blank=True, null=True)),
                ("gone_at", models.DateTimeField(blank=True, null=True)),
                (
                    "cluster",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="attempts",
                        to="provisioning.cluster",
                    ),
                ),
                (
                    "instance",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="attempts",
                        to="provisioning.instance",
                    ),
                ),
                (
                    "pool",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="attempts",
                        to="provisioning.pool",
                    ),
                ),
            ],
            options={
                "ordering": ["instance", "no"],
            },
        ),
        migrations.CreateModel(
            name="TenantNamespace",
            fields=[
                (
                    "id",
                    models.BigAutoField(
                        auto_created=True, primary_key=True, serialize=False, verbose_name="ID"
                    ),
                ),
                ("tenant_id", models.BigIntegerField()),
                ("name", models.CharField(max_length=63)),
                ("applied_hash", models.CharField(max_length=64)),
                ("applied_at", models.DateTimeField()),
                (
                    "cluster",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="namespaces",
                        to="provisioning.cluster",
                    ),
                ),
            ],
        ),
        migrations.CreateModel(
            name="Transition",
            fields=[
                (
                    "id",
                    models.BigAutoField(
                        auto_created=True, primary_key=True, serialize=False, verbose_name="ID"
                    ),
                ),
                ("from_state", models.CharField(blank=True, max_length=12)),
                ("to_state", models.CharField(max_length=12)),
                ("reason", models.CharField(max_length=60)),
                ("message", models.TextField(blank=True)),
                ("attempt_no", models.PositiveIntegerField()),
                ("at", models.DateTimeField()),
                (
                    "instance",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="transitions",
                        to="provisioning.instance",
                    ),
                ),
            ],
            options={
                "ordering": ["instance", "id"],
            },
        ),
        migrations.CreateModel(
            name="UsageEvidence",
            fields=[
                (
                    "id",
                    models.BigAutoField(
                        auto_created=True, primary_key=True, serialize=False, verbose_name="ID"
                    ),
                ),
                ("pod_uid", models.UUIDField()),
                ("container_id", models.CharField(max_length=200)),
                ("instance_id", models.UUIDField(null=True)),
                ("kind", models.CharField(max_length=20)),
                ("said", models.JSONField()),
                ("observed_at", models.DateTimeField()),
                (
                    "cluster",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="+",
                        to="provisioning.cluster",
                    ),
                ),
            ],
            options={
                "verbose_name_plural": "usage evidence",
                "ordering": ["id"],
            },
        ),
        migrations.AddField(
            model_name="family",
            name="vendor",
            field=models.ForeignKey(
                on_delete=django.db.models.deletion.PROTECT,
                related_name="families",
                to="provisioning.vendor",
            ),
        ),
        migrations.CreateModel(
            name="DeadLetter",
            fields=[
                (
                    "id",
                    models.BigAutoField(
                        auto_created=True, primary_key=True, serialize=False, verbose_name="ID"
                    ),
                ),
                ("code", models.CharField(max_length=60)),
                ("message", models.TextField()),
                ("count", models.PositiveIntegerField(default=1)),
                ("first_at", models.DateTimeField()),
                ("last_at", models.DateTimeField()),
                ("closed_at", models.DateTimeField(blank=True, null=True)),
                ("closed_by", models.CharField(blank=True, max_length=150)),
                (
                    "instance",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="dead_letters",
                        to="provisioning.instance",
                    ),
                ),
            ],
            options={
                "ordering": ["-last_at"],
                "constraints": [
                    models.UniqueConstraint(
                        condition=models.Q(("closed_at__isnull", True)),
                        fields=("instance", "code"),
                        name="dead_letter_open_once_per_code",
                    )
                ],
            },
        ),
        migrations.CreateModel(
            name="Allocation",
            fields=[
                (
                    "id",
                    models.BigAutoField(
                        auto_created=True, primary_key=True, serialize=False, verbose_name="ID"
                    ),
                ),
                ("node_uid", models.UUIDField()),
                ("node_name", models.CharField(max_length=253)),
                ("resource_name", models.CharField(max_length=120)),
                ("device_id", models.CharField(max_length=100)),
                ("started_at", models.DateTimeField()),
                ("ended_at", models.DateTimeField(blank=True, null=True)),
                (
                    "interval",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="+",
                        to="billing.usageinterval",
                    ),
                ),
                (
                    "cluster",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="+",
                        to="provisioning.cluster",
                    ),
                ),
                (
                    "instance",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="allocations",
                        to="provisioning.instance",
                    ),
                ),
            ],
            options={
                "ordering": ["started_at", "device_id"],
                "constraints": [
                    models.UniqueConstraint(
                        fields=("interval", "resource_name", "device_id"),
                        name="allocation_once_per_run",
                    ),
                    django.contrib.postgres.constraints.ExclusionConstraint(
                        expressions=[
                            ("cluster", "="),
                            ("node_uid", "="),
                            ("resource_name", "="),
                            ("device_id", "="),
                            (
                                provisioning.models.instances.TsTzRange("started_at", "ended_at"),
                                "&&",
                            ),
                        ],
                        name="device_held_once_at_a_time",
                    ),
                ],
            },
        ),
        migrations.AddConstraint(
            model_name="instancetype",
            constraint=models.CheckConstraint(
                condition=models.Q(("device_count__gt", 0)), name="instance_type_has_devices"
            ),
        ),
        migrations.AddConstraint(
            model_name="node",
            constraint=models.UniqueConstraint(fields=("cluster", "uid"), name="node_once_per_uid"),
        ),
        migrations.AddConstraint(
            model_name="node",
            constraint=models.UniqueConstraint(
                condition=models.Q(("gone_at__isnull", True)),
                fields=("cluster", "name"),
                name="node_name_once_among_the_present",
            ),
        ),
        migrations.AddIndex(
            model_name="observedpod",
            index=models.Index(fields=["instance_id"], name="observed_pod_of_instance"),
        ),
        migrations.AddIndex(
            model_name="observedpod",
            index=models.Index(
                condition=models.Q(("gone_at__isnull", True)),
                fields=["cluster"],
                name="observed_pod_present",
            ),
        ),
        migrations.AddConstraint(
            model_name="observedpod",
            constraint=models.UniqueConstraint(fields=("cluster", "uid"), name="observed_pod_once"),
        ),
        migrations.AddConstraint(
            model_name="pool",
            constraint=models.UniqueConstraint(
                fields=("cluster", "family", "resource_name"), name="pool_once_per_cluster"
            ),
        ),
        migrations.AddConstraint(
            model_name="nodecapacity",
            constraint=models.UniqueConstraint(
                fields=("node", "pool"), name="capacity_once_per_node_and_pool"
            ),
        ),
        migrations.AddIndex(
            model_name="instance",
            index=models.Index(
                condition=models.Q(("next_reconcile_at__isnull", False)),
                fields=["next_reconcile_at"],
                name="instance_due",
            ),
        ),
        migrations.AddIndex(
            model_name="instance",
            index=models.Index(fields=["tenant_id", "-created_at"], name="instance_of_tenant"),
        ),
        migrations.AddIndex(
            model_name="instance",
            index=models.Index(fields=["project_id"], name="instance_of_project"),
        ),
        migrations.AddIndex(
            model_name="instance",
            index=models.Index(
                condition=models.Q(("desired", "running"), ("ends_at__isnull", False)),
                fields=["ends_at"],
                name="instance_lease_end",
            ),
        ),
        migrations.AddIndex(
            model_name="instance",
            index=models.Index(
                condition=models.Q(("state", "queued")),
                fields=["launched_at"],
                name="instance_queue",
            ),
        ),
        migrations.AddConstraint(
            model_name="instance",
            constraint=models.CheckConstraint(
                condition=models.Q(
                    (
                        "state__in",
                        [
                            "queued",
                            "provisioning",
                            "scheduling",
                            "starting",
                            "running",
                            "unreachable",
                            "recovering",
                            "stopping",
                            "stopped",
                            "failed",
                            "terminating",
                            "terminated",
                        ],
                    )
                ),
                name="instance_state_known",
            ),
        ),
        migrations.AddConstraint(
            model_name="instance",
            constraint=models.CheckConstraint(
                condition=models.Q(("desired__in", ["running", "stopped", "terminated"])),
                name="instance_desired_known",
            ),
        ),
        migrations.AddIndex(
            model_name="attempt",
            index=models.Index(
                condition=models.Q(("state", "gone"), _negated=True),
                fields=["pool"],
                name="attempt_live_in_pool",
            ),
        ),
        migrations.AddConstraint(
            model_name="attempt",
            constraint=models.UniqueConstraint(
                fields=("instance", "no"), name="attempt_numbered_once"
            ),
        ),
        migrations.AddConstraint(
            model_name="attempt",
            constraint=models.UniqueConstraint(
                fields=("cluster", "namespace", "pod_name"), name="attempt_name_once_per_cluster"
            ),
        ),
        migrations.AddConstraint(
            model_name="tenantnamespace",
            constraint=models.UniqueConstraint(
                fields=("cluster", "tenant_id"), name="namespace_once_per_cluster_and_tenant"
            ),
        ),
        migrations.AddIndex(
            model_name="usageevidence",
            index=models.Index(
                fields=["cluster", "pod_uid", "container_id"], name="evidence_of_run"
            ),
        ),
    ]
