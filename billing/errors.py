"""What billing refuses, each a fact with a code; the first line of the docstring is the message.

The portal turns them into pages and problem documents; nothing here knows of HTTP.
"""

from collections.abc import Sequence
from typing import TYPE_CHECKING, ClassVar

if TYPE_CHECKING:
    from billing.closing import CloseException


class BillingError(Exception):
    """Billing could not do this."""

    code: ClassVar[str] = "billing_error"
    retryable: ClassVar[bool] = False

    def __init__(self, message: str | None = None) -> None:
        self.message = message or (type(self).__doc__ or "").strip().splitlines()[0]
        super().__init__(self.message)


class IllegalState(BillingError):
    """This is not possible in the present state."""

    code = "illegal_state"


class AccountAlreadyOpen(BillingError):
    """This tenant already has a billing account."""

    code = "account_already_open"


class NoSeller(BillingError):
    """No seller is set up: an invoice needs somebody who issues it."""

    code = "no_seller"


class UnknownSku(BillingError):
    """There is no such SKU."""

    code = "unknown_sku"


class InvalidRate(BillingError):
    """A rate must be zero or more, with at most four decimals, and must end after it begins."""

    code = "invalid_rate"


class RateOverlap(BillingError):
    """Another rate of this SKU in this price book covers part of that time."""

    code = "rate_overlap"


class RateInForce(BillingError):
    """A price in force does not change; only its end may move, and only into the future."""

    code = "rate_in_force"


class PeriodOverlap(BillingError):
    """Another billing period of this account covers part of that time."""

    code = "period_overlap"


class InvoiceAlreadyIssued(IllegalState):
    """An invoice for this billing period has already been issued."""

    code = "invoice_already_issued"


class NothingToInvoice(BillingError):
    """The use of this billing period comes to nothing, so there is nothing to invoice."""

    code = "nothing_to_invoice"


class FontMissing(BillingError):
    """The document font was not found; build the static files first."""

    code = "font_missing"


class CloseBlocked(BillingError):
    """The billing period cannot be invoiced yet."""

    code = "close_blocked"
    retryable = True

    def __init__(self, *, exceptions: Sequence["CloseException"]) -> None:
        self.exceptions = tuple(exceptions)
        reasons = "; ".join(exception.message for exception in self.exceptions)
        super().__init__(f"The billing period cannot be invoiced yet: {reasons}")
