"""The bill as a file: the same figures in every format and language, safe to open."""

import codecs
import csv
import hashlib
import io
from datetime import timedelta
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pypdf import PdfReader

from billing import accounts, documents, invoicing, periods, tasks
from billing.deferring import RENDER_INVOICE
from billing.documents import csv as csv_documents
from billing.documents import pdf as pdf_documents
from billing.documents.sheets import sheet_of
from billing.documents.wording import ENGLISH, KOREAN
from billing.errors import FontMissing, IllegalState
from billing.models import Account, Invoice, InvoiceFile
from tests.factories import billing as factory
from tests.factories.billing import LATER, NOON

FORMULAS = ["=1+1", "+1", "-1", "@SUM(A1)", "\t=1", "\r=1", " =1", "＝1", '=HYPERLINK("x","y")']

NAMES = {7: "항만 CCTV 분석", 8: "=HYPERLINK(0)", 9: 'quote " comma , and\nline'}


@pytest.fixture
def invoice(account: Account) -> Invoice:
    """An issued invoice of three lines, to a Korean company."""
    factory.register_seller(name="엔피유팜 주식회사", bank_account="한국은행 100-200-300400")
    factory.price(hourly_rate="1234.5678")
    accounts.describe_payer(
        account=account,
        name="바다비전 주식회사",
        business_number="124-81-00998",
        representative="윤앨리스",
        address="부산광역시 해운대구 센텀중앙로 45",
        email="bills@bada-vision.example",
    )
    for project in NAMES:
        factory.record_use(account=account, seconds=12_345 + project, project_id=project)
    draft = invoicing.draft_invoice(
        period=periods.period_for(account=account, at=NOON), at=LATER, project_names=NAMES
    )
    return invoicing.issue_invoice(draft=draft, by="dana", at=LATER)


def rows_of(invoice: Invoice, language: str) -> list[list[str]]:
    content = bytes(documents.file_of(invoice, "csv", language).content)
    return list(csv.reader(io.StringIO(content.decode("utf-8-sig"), newline="")))


def pdf_of(invoice: Invoice, language: str) -> PdfReader:
    return PdfReader(io.BytesIO(bytes(documents.file_of(invoice, "pdf", language).content)))


def text_of(invoice: Invoice, language: str) -> str:
    text = "\n".join(page.extract_text() for page in pdf_of(invoice, language).pages)
    return text.replace("\u200b", "")


@pytest.mark.parametrize(("language", "words"), [("ko", KOREAN), ("en", ENGLISH)])
def test_the_pdf_says_what_finance_needs(
    invoice: Invoice, language: str, words: dict[str, str]
) -> None:
    text = text_of(invoice, language)

    expected = [
        words["invoice"],
        words["not_tax_invoice"],
        str(invoice.number),
        "2026-04-03",
        "2026-05-03",
        "2026-03-01 – 2026-03-31 (KST)",
        "엔피유팜 주식회사",
        "한국은행 100-200-300400",
        "바다비전 주식회사",
        "124-81-00998",
        "윤앨리스",
        "항만 CCTV 분석",
        "1,234.5678",
        f"{invoice.net_amount:,}",
        f"{invoice.tax_amount:,}",
        f"{invoice.total_amount:,}",
        *(f"{line.net_amount:,}" for line in invoice.lines.all()),
        *(f"{line.device_seconds:,}" for line in invoice.lines.all()),
    ]
    assert [words for words in expected if words not in text] == []


def test_the_pdf_carries_its_font(invoice: Invoice) -> None:
    for page in pdf_of(invoice, "ko").pages:
        fonts = page["/Resources"]["/Font"]  # type: ignore[index]
        for font in fonts.values():
            descendant = font.get_object()["/DescendantFonts"][0].get_object()
            assert "Pretendard" in descendant["/BaseFont"]
            assert "/FontFile2" in descendant["/FontDescriptor"].get_object()


def test_the_same_invoice_gives_the_same_pdf(invoice: Invoice) -> None:
    sheet = sheet_of(invoice)

    first, again = (pdf_documents.render(sheet=sheet, words=KOREAN) for _ in range(2))

    assert first == again


def test_without_the_font_no_pdf_of_empty_boxes_is_made(
    invoice: Invoice, settings: pytest.FixtureRequest, tmp_path: Path
) -> None:
    settings.DOCUMENT_FONT_DIRS = [tmp_path]  # type: ignore[attr-defined]

    with pytest.raises(FontMissing):
        documents.file_of(invoice, "pdf", "ko")

    assert not InvoiceFile.objects.exists()


def test_a_part_of_a_month_is_printed_to_the_second(account: Account) -> None:
    factory.register_seller()
    factory.price()
    factory.record_use(account=account, seconds=60)
    at = NOON + timedelta(seconds=61)
    part = periods.cut_period(account=account, at=at)
    draft = invoicing.draft_invoice(period=part, at=at)

    issued = invoicing.issue_invoice(draft=draft, by="dana", at=at)

    assert "2026-03-01 00:00:00 – 2026-03-15 12:01:01 (KST)" in text_of(issued, "en")


def test_markup_in_a_name_stays_text(account: Account) -> None:
    name = "#panic() *bold* $x$ <a> @ref"
    factory.register_seller()
    factory.price()
    factory.record_use(account=account, seconds=3600)
    draft = invoicing.draft_invoice(
        period=periods.period_for(account=account, at=NOON), at=LATER, project_names={7: name}
    )

    issued = invoicing.issue_invoice(draft=draft, by="dana", at=LATER)

    assert "".join(name.split()) in "".join(text_of(issued, "en").split())


def test_the_csv_opens_in_a_spreadsheet(invoice: Invoice) -> None:
    content = bytes(documents.file_of(invoice, "csv", "ko").content)

    assert content.startswith(codecs.BOM_UTF8)
    assert content.count(b"\r\n") == content.count(b"\n") == 1 + 3 + 1


@pytest.mark.parametrize("language", ["ko", "en"])
def test_the_rows_add_up_to_the_control_row(invoice: Invoice, language: str) -> None:
    headings, *rows, control = rows_of(invoice, language)

    words = {"ko": KOREAN, "en": ENGLISH}[language]
    for name in ("device_seconds", "net_amount", "tax_amount", "total_amount"):
        column = headings.index(words[name])
        assert sum(int(row[column]) for row in rows) == int(control[column])
    totals = [control[headings.index(words[n])] for n in ("net_amount", "total_amount")]
    assert totals == [str(invoice.net_amount), str(invoice.total_amount)]
    assert control[headings.index(words["position"])] == str(len(rows)) == "3"


def test_a_name_that_looks_like_a_formula_is_text(invoice: Invoice) -> None:
    headings, *rows, _ = rows_of(invoice, "en")

    projects = [row[headings.index("Project")] for row in rows]
    assert projects == ["항만 CCTV 분석", "'=HYPERLINK(0)", 'quote " comma , and line']


@pytest.mark.parametrize("text", FORMULAS)
def test_formulas_are_neutralised(text: str) -> None:
    assert csv_documents.neutralise(text).startswith("'")


@given(text=st.text())
def test_no_text_can_become_a_formula_or_break_a_row(text: str) -> None:
    safe = csv_documents.neutralise(text)

    assert safe.lstrip()[:1] not in {"=", "+", "-", "@", "＝", "＋", "－", "＠"}
    assert not set(safe) & set("\t\r\n\x00")


@pytest.mark.parametrize("text", ["Harbour", "항만", "a=b", "10% off", "O'Neil"])
def test_ordinary_text_is_left_alone(text: str) -> None:
    assert csv_documents.neutralise(text) == text


def test_a_file_is_kept_with_its_digest_and_rendered_once(invoice: Invoice) -> None:
    first = documents.file_of(invoice, "csv", "ko")
    again = documents.file_of(invoice, "csv", "ko")

    assert again.pk == first.pk
    assert first.sha256 == hashlib.sha256(bytes(again.content)).hexdigest()


def test_a_draft_has_no_file(account: Account) -> None:
    factory.register_seller()
    factory.price()
    factory.record_use(account=account, seconds=60)
    draft = invoicing.draft_invoice(period=periods.period_for(account=account, at=NOON), at=LATER)

    with pytest.raises(IllegalState):
        documents.file_of(draft, "csv", "ko")


def test_the_task_renders_every_file_and_may_run_twice(invoice: Invoice) -> None:
    for _ in range(2):
        tasks.render_invoice(invoice_id=str(invoice.pk))

    files = set(InvoiceFile.objects.values_list("format", "language"))
    assert files == {("pdf", "ko"), ("pdf", "en"), ("csv", "ko"), ("csv", "en")}


def test_issuing_asks_for_the_files_once_it_is_committed(
    account: Account,
    django_capture_on_commit_callbacks: object,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    sent: list[tuple[str, object]] = []
    monkeypatch.setattr(
        "celery.current_app.send_task", lambda name, kwargs: sent.append((name, kwargs))
    )
    factory.register_seller()
    factory.price()
    factory.record_use(account=account, seconds=3600)
    draft = invoicing.draft_invoice(period=periods.period_for(account=account, at=NOON), at=LATER)

    with django_capture_on_commit_callbacks(execute=True):  # type: ignore[operator]
        issued = invoicing.issue_invoice(draft=draft, by="dana", at=LATER)
        assert sent == []

    assert sent == [(RENDER_INVOICE, {"invoice_id": str(issued.pk)})]


@pytest.mark.django_db(transaction=True)
def test_a_lost_broker_does_not_lose_the_invoice(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*args: object, **kwargs: object) -> None:
        raise ConnectionError

    monkeypatch.setattr("celery.current_app.send_task", refuse)
    account = factory.open_account()
    factory.register_seller()
    factory.price()
    factory.record_use(account=account, seconds=3600)
    draft = invoicing.draft_invoice(period=periods.period_for(account=account, at=NOON), at=LATER)

    issued = invoicing.issue_invoice(draft=draft, by="dana", at=LATER)

    assert Invoice.objects.get().number == issued.number
    assert bytes(documents.file_of(issued, "csv", "en").content)
