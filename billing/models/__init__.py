"""The tables of billing, one module per aggregate."""

from billing.models.accounts import Account, Payer, Seller
from billing.models.invoices import Invoice, InvoiceFile, InvoiceLine, NumberSeries
from billing.models.periods import BillingPeriod
from billing.models.prices import AccountBook, PriceBook, Rate
from billing.models.unusable import UnusableTime
from billing.models.usage import QuarantinedFact, Sku, UsageInterval, Witness

__all__ = [
    "Account",
    "AccountBook",
    "BillingPeriod",
    "Invoice",
    "InvoiceFile",
    "InvoiceLine",
    "NumberSeries",
    "Payer",
    "PriceBook",
    "QuarantinedFact",
    "Rate",
    "Seller",
    "Sku",
    "UnusableTime",
    "UsageInterval",
    "Witness",
]
