"""Recompute usage from evidence and compare: `manage.py audit_usage`; exit 1 on a difference."""

from typing import Any

from django.core.management.base import BaseCommand, CommandError

from provisioning import auditing


class Command(BaseCommand):
    help = "Recompute every usage interval from what the clusters said, and compare."

    def handle(self, *args: Any, **options: Any) -> None:
        findings = auditing.audit_usage()
        for finding in findings:
            source, holder, run_id = finding.run
            self.stdout.write(f"{finding.code}: {source}/{holder}/{run_id}: {finding.message}")
        if findings:
            raise CommandError(f"{len(findings)} runs differ from what the clusters said.")
        self.stdout.write("The ledger says what the clusters said.")
