"""Lay an invoice out in cells for a spreadsheet or a ledger: one row per line, one control row.

UTF-8 with a byte order mark and CRLF, for spreadsheets show broken Hangul without.  Text that a
tenant may have chosen must not become a formula when the file is opened.
"""

import csv
import io
import re
from collections.abc import Sequence

from billing.documents.sheets import Sheet, SheetLine, plain
from billing.documents.wording import Words

BYTE_ORDER_MARK = "\ufeff"
# Spreadsheets read a cell that begins so as a formula, some after blanks, some in full width.
FORMULA = re.compile(r"\s*[=+\-@＝＋－＠|%]|[\t\r\n]")
CONTROL_CHARACTERS = re.compile(r"[\x00-\x1f\x7f]+")

Cell = str | int
COLUMNS = (
    "number", "issued_on", "due_on", "seller", "seller_number", "buyer", "buyer_number", "period",
    "position", "project", "sku", "item", "service_from", "service_until", "device_seconds",
    "hourly_rate", "net_amount", "tax_amount", "total_amount", "currency",
)  # fmt: skip


def render(*, sheet: Sheet, words: Words) -> bytes:
    """The file as bytes."""
    out = io.StringIO(newline="")
    writer = csv.writer(out, quoting=csv.QUOTE_NONNUMERIC, lineterminator="\r\n")
    writer.writerow(_headings(words))
    for line in sheet.lines:
        writer.writerow(_row(sheet, line))
    writer.writerow(_control_row(sheet, words))
    return (BYTE_ORDER_MARK + out.getvalue()).encode()


def neutralise(text: str) -> str:
    """Text that stays text: a quote before what would be a formula, no line breaks inside."""
    is_formula = FORMULA.match(text) is not None
    flat = CONTROL_CHARACTERS.sub(" ", text)
    return f"'{flat}" if is_formula else flat


def _headings(words: Words) -> Sequence[str]:
    composed = {
        "seller_number": f"{words['seller']} {words['business_number']}",
        "buyer_number": f"{words['buyer']} {words['business_number']}",
        "service_from": f"{words['service']} 1",
        "service_until": f"{words['service']} 2",
    }
    return [composed.get(column) or words[column] for column in COLUMNS]


def _row(sheet: Sheet, line: SheetLine) -> Sequence[Cell]:
    return [
        *_document_cells(sheet),
        line.position,
        neutralise(line.project_name),
        neutralise(line.sku_code),
        neutralise(line.sku_name),
        line.service_from.isoformat(),
        line.service_until.isoformat(),
        line.device_seconds,
        plain(line.hourly_rate).replace(",", ""),
        line.net_amount,
        line.tax_amount,
        line.net_amount + line.tax_amount,
        sheet.currency,
    ]


def _document_cells(sheet: Sheet) -> Sequence[Cell]:
    return [
        sheet.number,
        sheet.issued_on.isoformat(),
        sheet.due_on.isoformat(),
        neutralise(sheet.seller.name),
        neutralise(sheet.seller.business_number),
        neutralise(sheet.buyer.name),
        neutralise(sheet.buyer.business_number),
        f"{sheet.service_from.isoformat()}/{sheet.service_until.isoformat()}",
    ]


def _control_row(sheet: Sheet, words: Words) -> Sequence[Cell]:
    """The header's own figures, so that a reader can add up the rows against them."""
    totals: dict[str, Cell] = {
        "number": words["control_total"],
        "position": len(sheet.lines),
        "device_seconds": sheet.device_seconds,
        "net_amount": sheet.net_amount,
        "tax_amount": sheet.tax_amount,
        "total_amount": sheet.total_amount,
        "currency": sheet.currency,
    }
    return [totals.get(column, "") for column in COLUMNS]
