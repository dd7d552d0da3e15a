"""Who is billed, who pays, who sells."""

from decimal import Decimal

from django.db import models
from django.db.models.functions import Now


class Account(models.Model):
    """One row is one party we bill for use."""

    tenant_id = models.BigIntegerField(unique=True)
    name = models.CharField(max_length=200)
    currency = models.CharField(max_length=3, default="KRW")
    timezone = models.CharField(max_length=64, default="Asia/Seoul")
    created_at = models.DateTimeField(db_default=Now())

    def __str__(self) -> str:
        return self.name


class Payer(models.Model):
    """One row is one party that settles invoices: an account for itself, or a programme."""

    class Kind(models.TextChoices):
        """Who pays."""

        ACCOUNT = "account"
        PROGRAMME = "programme"

    account = models.ForeignKey(
        Account, null=True, blank=True, on_delete=models.PROTECT, related_name="payers"
    )
    kind = models.CharField(max_length=16, choices=Kind, default=Kind.ACCOUNT)
    name = models.CharField(max_length=200)
    business_number = models.CharField(max_length=20, blank=True)
    representative = models.CharField(max_length=100, blank=True)
    address = models.CharField(max_length=300, blank=True)
    email = models.EmailField(blank=True)

    class Meta:
        constraints = [
            models.UniqueConstraint(
                "account",
                name="billing_payer_one_own_per_account",
                condition=models.Q(kind="account"),
            ),
            models.CheckConstraint(
                name="billing_payer_account_fits_kind",
                condition=models.Q(kind="account", account__isnull=False)
                | models.Q(kind="programme"),
            ),
        ]

    def __str__(self) -> str:
        return self.name


class Seller(models.Model):
    """One row is one legal person that issues our invoices; one of them is active."""

    name = models.CharField(max_length=200)
    business_number = models.CharField(max_length=20, unique=True)
    representative = models.CharField(max_length=100)
    address = models.CharField(max_length=300)
    bank_account = models.CharField(max_length=200)
    tax_rate = models.DecimalField(max_digits=5, decimal_places=4, default=Decimal("0.10"))
    payment_terms_days = models.PositiveSmallIntegerField(default=30)
    is_active = models.BooleanField(default=True)

    class Meta:
        constraints = [
            models.UniqueConstraint(
                "is_active",
                name="billing_seller_one_active",
                condition=models.Q(is_active=True),
            ),
            models.CheckConstraint(
                name="billing_seller_tax_rate_is_a_share",
                condition=models.Q(tax_rate__gte=0, tax_rate__lt=1),
            ),
        ]

    def __str__(self) -> str:
        return self.name
