"""What was billed: documents that carry copies of every name they print.

A draft may change; once issued, only the state moves on (migration 0002 refuses everything else,
raw SQL included).
"""

import uuid

from django.db import models
from django.db.models import F, Q
from django.db.models.functions import Now

from billing.models.accounts import Account, Payer, Seller
from billing.models.periods import BillingPeriod
from billing.models.prices import Rate
from billing.models.usage import Sku


class NumberSeries(models.Model):
    """One row is one run of invoice numbers without gaps: its lock is taken to draw one."""

    seller = models.ForeignKey(Seller, on_delete=models.PROTECT, related_name="+")
    code = models.CharField(max_length=16)
    year = models.PositiveSmallIntegerField()
    last_number = models.PositiveIntegerField(default=0)

    class Meta:
        constraints = [
            models.UniqueConstraint("seller", "code", "year", name="billing_series_one_per_year"),
        ]

    def __str__(self) -> str:
        return f"{self.code}-{self.year}"


class Invoice(models.Model):
    """One row is one bill to one payer for one billing period."""

    class State(models.TextChoices):
        """How far the bill has come."""

        DRAFT = "draft"
        ISSUED = "issued"
        PAID = "paid"
        UNCOLLECTIBLE = "uncollectible"
        VOID = "void"

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    account = models.ForeignKey(Account, on_delete=models.PROTECT, related_name="invoices")
    payer = models.ForeignKey(Payer, on_delete=models.PROTECT, related_name="invoices")
    period = models.ForeignKey(BillingPeriod, on_delete=models.PROTECT, related_name="invoices")
    kind = models.CharField(max_length=16, default="usage")
    revision = models.PositiveSmallIntegerField(default=0)
    state = models.CharField(max_length=16, choices=State, default=State.DRAFT)
    seller = models.ForeignKey(Seller, on_delete=models.PROTECT, related_name="+")
    series = models.ForeignKey(
        NumberSeries, null=True, blank=True, on_delete=models.PROTECT, related_name="invoices"
    )
    number = models.CharField(max_length=40, null=True, blank=True)  # noqa: DJ001 (drafts have none)

    currency = models.CharField(max_length=3)
    net_amount = models.BigIntegerField(default=0)
    tax_rate = models.DecimalField(max_digits=5, decimal_places=4)
    tax_amount = models.BigIntegerField(default=0)
    total_amount = models.BigIntegerField(default=0)

    service_from = models.DateTimeField()
    service_until = models.DateTimeField()
    timezone = models.CharField(max_length=64)

    seller_name = models.CharField(max_length=200)
    seller_business_number = models.CharField(max_length=20)
    seller_representative = models.CharField(max_length=100)
    seller_address = models.CharField(max_length=300)
    seller_bank_account = models.CharField(max_length=200)
    buyer_name = models.CharField(max_length=200)
    buyer_business_number = models.CharField(max_length=20, blank=True)
    buyer_representative = models.CharField(max_length=100, blank=True)
    buyer_address = models.CharField(max_length=300, blank=True)
    buyer_email = models.EmailField(blank=True)

    drafted_at = models.DateTimeField()
    issued_at = models.DateTimeField(null=True, blank=True)
    issued_on = models.DateField(null=True, blank=True)
    issued_by = models.CharField(max_length=200, blank=True)
    due_on = models.DateField(null=True, blank=True)
    voided_at = models.DateTimeField(null=True, blank=True)
    voided_by = models.CharField(max_length=200, blank=True)

    class Meta:
        constraints = [
            models.UniqueConstraint(
                fields=["payer", "account", "period", "kind", "revision"],
                name="billing_invoice_once_per_period",
                condition=~Q(state="void"),
                nulls_distinct=False,
            ),
            models.UniqueConstraint("seller", "number", name="billing_invoice_number_once"),
            models.CheckConstraint(
                name="billing_invoice_total_adds_up",
                condition=Q(total_amount=F("net_amount") + F("tax_amount")),
            ),
            models.CheckConstraint(
                name="billing_invoice_number_when_issued",
                condition=Q(
                    state="draft",
                    number__isnull=True,
                    series__isnull=True,
                    issued_at__isnull=True,
                )
                | Q(
                    ~Q(state="draft"),
                    number__isnull=False,
                    series__isnull=False,
                    issued_at__isnull=False,
                    issued_on__isnull=False,
                    due_on__isnull=False,
                ),
            ),
            models.CheckConstraint(
                name="billing_invoice_known_state",
                condition=Q(state__in=["draft", "issued", "paid", "uncollectible", "void"]),
            ),
        ]

    def __str__(self) -> str:
        return self.number or f"draft {self.id}"


class InvoiceLine(models.Model):
    """One row is the use of one SKU at one rate by one project, rounded once."""

    invoice = models.ForeignKey(
        Invoice, on_delete=models.CASCADE, related_name="lines", db_index=False
    )
    position = models.PositiveIntegerField()
    project_id = models.BigIntegerField()
    project_name = models.CharField(max_length=200)
    # Checked once per invoice when it is issued (migration 0002), not line by line: a month has
    # tens of thousands.  Neither row can go away: both tables refuse it.
    sku = models.ForeignKey(
        Sku, on_delete=models.PROTECT, related_name="+", db_index=False, db_constraint=False
    )
    sku_code = models.CharField(max_length=64)
    sku_name = models.CharField(max_length=200)
    rate = models.ForeignKey(
        Rate, on_delete=models.PROTECT, related_name="+", db_index=False, db_constraint=False
    )
    hourly_rate = models.DecimalField(max_digits=14, decimal_places=4)
    device_seconds = models.BigIntegerField()
    net_amount = models.BigIntegerField()
    tax_amount = models.BigIntegerField()
    service_from = models.DateTimeField()
    service_until = models.DateTimeField()

    class Meta:
        ordering = ["position"]
        constraints = [
            # Leads with the invoice, so it is the index of the foreign key as well.
            models.UniqueConstraint("invoice", "position", name="billing_line_one_per_position"),
        ]

    def __str__(self) -> str:
        return f"{self.position} {self.sku_code}"


class InvoiceFile(models.Model):
    """One row is one issued invoice as somebody downloads it, kept as it was rendered."""

    class Format(models.TextChoices):
        """How it is written."""

        PDF = "pdf"
        CSV = "csv"

    class Language(models.TextChoices):
        """Which language it speaks."""

        KO = "ko"
        EN = "en"

    invoice = models.ForeignKey(Invoice, on_delete=models.PROTECT, related_name="files")
    format = models.CharField(max_length=8, choices=Format)
    language = models.CharField(max_length=8, choices=Language)
    content = models.BinaryField()
    sha256 = models.CharField(max_length=64)
    rendered_at = models.DateTimeField(db_default=Now())

    class Meta:
        constraints = [
            models.UniqueConstraint(
                "invoice", "format", "language", name="billing_file_one_per_language"
            ),
        ]

    def __str__(self) -> str:
        return f"{self.invoice_id}.{self.language}.{self.format}"
