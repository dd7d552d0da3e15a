"""Open billing accounts and keep who pays and who sells.

A tenant's first step into billing: from then on `metering` can book its use.
"""

from datetime import datetime
from decimal import Decimal

from django.db import transaction

from billing import periods, pricing
from billing.constraints import refused_as
from billing.errors import AccountAlreadyOpen, NoSeller
from billing.models import Account, AccountBook, Payer, Seller


@transaction.atomic
def open_account(*, tenant_id: int, name: str, email: str, at: datetime) -> Account:
    """Open an account: its own payer, on the default price book, with a first billing period."""
    with refused_as({"billing_account_tenant_id_key": AccountAlreadyOpen()}):
        account = Account.objects.create(tenant_id=tenant_id, name=name, created_at=at)
    Payer.objects.create(account=account, kind=Payer.Kind.ACCOUNT, name=name, email=email)
    # Unbounded: there is no time of this account without a price book.
    AccountBook.objects.create(
        account=account, book=pricing.default_book(), valid=pricing.validity(None, None)
    )
    periods.period_for(account=account, at=at)
    return account


def own_payer(account: Account) -> Payer:
    """The account as the one who pays its bills."""
    return Payer.objects.get(account=account, kind=Payer.Kind.ACCOUNT)


def describe_payer(
    *,
    account: Account,
    name: str,
    business_number: str,
    representative: str,
    address: str,
    email: str,
) -> Payer:
    """Set what the invoices to come print about the buyer; issued ones keep their copies."""
    payer = own_payer(account)
    payer.name = name
    payer.business_number = business_number
    payer.representative = representative
    payer.address = address
    payer.email = email
    payer.save()
    return payer


@transaction.atomic
def register_seller(
    *,
    name: str,
    business_number: str,
    representative: str,
    address: str,
    bank_account: str,
    tax_rate: Decimal = Decimal("0.10"),
) -> Seller:
    """Make this the seller of the invoices to come; those already issued keep their copies.

    The business number tells sellers apart: each counts its invoices in a series of its own.
    """
    words = {
        "name": name,
        "representative": representative,
        "address": address,
        "bank_account": bank_account,
        "tax_rate": tax_rate,
        "is_active": True,
    }
    others = Seller.objects.filter(is_active=True).exclude(business_number=business_number)
    others.update(is_active=False)
    seller, _ = Seller.objects.update_or_create(business_number=business_number, defaults=words)
    return seller


def active_seller() -> Seller:
    """Who issues invoices now."""
    seller = Seller.objects.filter(is_active=True).first()
    if seller is None:
        raise NoSeller
    return seller
