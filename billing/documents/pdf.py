"""Set an invoice in type: `invoice.typ` is the page, this hands it the words and figures.

Typst takes the values as data, never as markup.  The font comes with the front end's static files
and is embedded; the file is archive-grade (PDF/A-2b) and, for the same invoice, the same each time.
"""

import json
from collections.abc import Sequence
from functools import lru_cache
from pathlib import Path

import typst
from django.conf import settings

from billing.documents.sheets import Party, Sheet, SheetLine, plain, span_in_words
from billing.documents.wording import Words
from billing.errors import FontMissing

TEMPLATE = Path(__file__).with_name("invoice.typ")
FONT_FAMILY = "Pretendard"
HUNDRED = 100


def render(*, sheet: Sheet, words: Words) -> bytes:
    """The file as bytes."""
    compiler = typst.Compiler(
        str(TEMPLATE),
        font_paths=_fonts(tuple(str(folder) for folder in settings.DOCUMENT_FONT_DIRS)),
        sys_inputs={"sheet": json.dumps(_values(sheet, words), ensure_ascii=False)},
    )
    content = compiler.compile(
        format="pdf", pdf_standards=["a-2b"], timestamp=int(sheet.issued_at.timestamp())
    )
    if not isinstance(content, bytes):
        raise TypeError("typst gives one file of bytes for a PDF")
    return content


@lru_cache(maxsize=1)
def _fonts(folders: tuple[str, ...]) -> typst.Fonts:
    fonts = typst.Fonts(include_system_fonts=False, font_paths=list(folders))
    # Without it Hangul would come out as empty boxes on a bill.
    if FONT_FAMILY not in fonts.families():
        raise FontMissing
    return fonts


def _values(sheet: Sheet, words: Words) -> dict[str, object]:
    return {
        "words": words,
        "font": FONT_FAMILY,
        "number": sheet.number,
        "is_void": sheet.is_void,
        "issued_on": sheet.issued_on.isoformat(),
        "due_on": sheet.due_on.isoformat(),
        "period": span_in_words(sheet.service_from, sheet.service_until),
        "seller": _party(sheet.seller, words),
        "buyer": _party(sheet.buyer, words),
        "bank_account": sheet.bank_account,
        "net_amount": f"{sheet.net_amount:,}",
        "tax_percent": plain(sheet.tax_rate * HUNDRED),
        "tax_amount": f"{sheet.tax_amount:,}",
        "total_amount": f"{sheet.total_amount:,}",
        "device_seconds": f"{sheet.device_seconds:,}",
        "lines": [_line(line) for line in sheet.lines],
    }


def _party(party: Party, words: Words) -> dict[str, object]:
    known: Sequence[tuple[str, str]] = [
        (words["business_number"], party.business_number),
        (words["representative"], party.representative),
        (words["address"], party.address),
        (words["email"], party.email),
    ]
    return {"name": party.name, "rows": [[word, value] for word, value in known if value]}


def _line(line: SheetLine) -> dict[str, str]:
    return {
        "position": str(line.position),
        "project": line.project_name,
        "sku_name": line.sku_name,
        "sku_code": line.sku_code,
        "service_from": f"{line.service_from:%Y-%m-%d %H:%M:%S}",
        "service_until": f"{line.service_until:%Y-%m-%d %H:%M:%S}",
        "device_seconds": f"{line.device_seconds:,}",
        "hourly_rate": plain(line.hourly_rate),
        "net_amount": f"{line.net_amount:,}",
        "tax_amount": f"{line.tax_amount:,}",
    }
