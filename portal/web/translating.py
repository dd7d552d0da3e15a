"""Collect what the pages say, merge it into the catalogues, compile them.

Babel does the work, so no gettext binaries are needed.  Django templates become
Python-like text by Django's own `templatize`; from there a template and a module
are read alike.  `django.po` is the committed source, `django.mo` is built.
"""

import ast
import re
from collections.abc import Iterator
from io import BytesIO
from pathlib import Path
from typing import NamedTuple

from babel.messages.catalog import Catalog
from babel.messages.extract import extract_python
from babel.messages.mofile import write_mo
from babel.messages.pofile import read_po, write_po
from django.utils.translation.template import templatize

WEB_DIR = Path(__file__).resolve().parent
PORTAL_DIR = WEB_DIR.parent
LOCALE_DIR = WEB_DIR / "locale"
LANGUAGES = ("ko", "en")
# No page says what stands here.
_UNSAID = {"node_modules", "migrations", "api"}
KEYWORDS = dict.fromkeys(
    (
        "_",
        "gettext",
        "gettext_lazy",
        "ngettext",
        "ngettext_lazy",
        "pgettext",
        "pgettext_lazy",
        "npgettext",
    )
)
# Dates and names of tools that would change the file whenever it is written.
_HEADER_NOISE = re.compile(
    rb'^"(POT|PO-Rev|Last-Tr|Language-Team|Report|Generated|Project)[^\n]*\n', re.MULTILINE
)
# A call as templatize writes it: a name and string literals, nothing nested.
_CALL = re.compile(
    r"""\b(?P<name>_|n?p?gettext)\((?P<arguments>(?:\s*u?(?:'(?:[^'\\]|\\.)*'|"(?:[^"\\]|\\.)*")\s*,?)+)"""
)


class Message(NamedTuple):
    """One string, with its plural if it has one, and where it is said."""

    id: str | tuple[str, str]
    context: str | None
    path: str
    line: int


def extract_messages() -> Catalog:
    """Everything translatable the pages say now."""
    catalogue = Catalog(project="NPU Farm", charset="utf-8")
    for message in sorted(_messages(), key=lambda found: (found.path, found.line)):
        catalogue.add(message.id, locations=[(message.path, 0)], context=message.context)
    return catalogue


def merge_catalogues() -> None:
    """Bring new strings into the catalogues and drop the ones no page says any more.

    Never by similarity: a guessed translation is worse than a missing one, which a test finds.
    """
    template = extract_messages()
    for language in LANGUAGES:
        catalogue = read_catalogue(language)
        catalogue.update(template, no_fuzzy_matching=True)
        catalogue.obsolete.clear()
        catalogue.fuzzy = False
        catalogue.header_comment = "# What the pages say."
        written = BytesIO()
        write_po(written, catalogue, width=110, sort_by_file=True)
        catalogue_path(language).write_bytes(_HEADER_NOISE.sub(b"", written.getvalue()))


def compile_catalogues() -> bool:
    """Write the `.mo` files older than their source; tells whether there were any."""
    stale = [language for language in LANGUAGES if _is_stale(language)]
    for language in stale:
        with catalogue_path(language).with_suffix(".mo").open("wb") as file:
            write_mo(file, read_catalogue(language))
    return bool(stale)


def read_catalogue(language: str) -> Catalog:
    """The committed catalogue, or an empty one."""
    path = catalogue_path(language)
    if not path.exists():
        path.parent.mkdir(parents=True, exist_ok=True)
        return Catalog(locale=language, project="NPU Farm", charset="utf-8")
    with path.open("rb") as file:
        return read_po(file, locale=language)


def catalogue_path(language: str) -> Path:
    """Where a language's catalogue is kept."""
    return LOCALE_DIR / language / "LC_MESSAGES" / "django.po"


def _is_stale(language: str) -> bool:
    source = catalogue_path(language)
    compiled = source.with_suffix(".mo")
    return source.exists() and (
        not compiled.exists() or compiled.stat().st_mtime < source.stat().st_mtime
    )


def _messages() -> Iterator[Message]:
    for path in PORTAL_DIR.rglob("*.py"):
        if not _UNSAID & set(path.relative_to(PORTAL_DIR).parts):
            yield from _python_messages(path)
    for path in (WEB_DIR / "templates").rglob("*"):
        if path.suffix in {".html", ".txt"}:
            yield from _template_messages(path)


def _python_messages(path: Path) -> Iterator[Message]:
    with path.open("rb") as file:
        for line, function, said, _comments in extract_python(file, KEYWORDS, (), {}):
            literals = [said] if isinstance(said, str) else [part for part in said if part]
            yield _message(str(function), literals, path, line)


def _template_messages(path: Path) -> Iterator[Message]:
    for line, text in enumerate(templatize(path.read_text(), str(path)).splitlines(), start=1):
        for call in _CALL.finditer(text):
            literals = ast.literal_eval(f"({call['arguments'].rstrip().rstrip(',')},)")
            yield _message(call["name"], list(literals), path, line)


def _message(function: str, literals: list[str], path: Path, line: int) -> Message:
    name = function.removesuffix("_lazy")
    context = literals.pop(0) if "pgettext" in name else None
    said = (literals[0], literals[1]) if name.startswith("n") else literals[0]
    return Message(said, context, str(path.relative_to(PORTAL_DIR)), line)
