"""Names, labels and finalizers: which texts Kubernetes accepts."""

import re
from collections.abc import Iterator

from provisioning.sandbox.validation import causes
from provisioning.sandbox.validation.causes import Cause

_LABEL = r"[a-z0-9]([-a-z0-9]*[a-z0-9])?"
_SUBDOMAIN = rf"{_LABEL}(\.{_LABEL})*"
_QUALIFIED = r"([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9]"
_LABEL_VALUE = r"(([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9])?"

LABEL_ADVICE = (
    "a lowercase RFC 1123 label must consist of lower case alphanumeric characters or '-', and"
    " must start and end with an alphanumeric character (e.g. 'my-name',  or '123-abc', regex"
    f" used for validation is '{_LABEL}')"
)
SUBDOMAIN_ADVICE = (
    "a lowercase RFC 1123 subdomain must consist of lower case alphanumeric characters, '-' or"
    " '.', and must start and end with an alphanumeric character (e.g. 'example.com', regex used"
    r" for validation is '[a-z0-9]([-a-z0-9]*[a-z0-9])?(\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*')"
)
QUALIFIED_ADVICE = (
    "name part must consist of alphanumeric characters, '-', '_' or '.', and must start and end"
    " with an alphanumeric character (e.g. 'MyName',  or 'my.name',  or '123-abc', regex used for"
    " validation is '([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9]')"
)
LABEL_VALUE_ADVICE = (
    "a valid label must be an empty string or consist of alphanumeric characters, '-', '_' or"
    " '.', and must start and end with an alphanumeric character (e.g. 'MyValue',  or 'my_value',"
    "  or '12345', regex used for validation is '(([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9])?')"
)


def label(field: str, value: str) -> Iterator[Cause]:
    """A text that has to be a DNS label."""
    yield from _too_long(field, value, 63)
    if not re.fullmatch(_LABEL, value):
        has_dots_only = re.fullmatch(_SUBDOMAIN, value)
        yield causes.invalid(
            field, value, "must not contain dots" if has_dots_only else LABEL_ADVICE
        )


def subdomain(field: str, value: str) -> Iterator[Cause]:
    """A text that has to be a DNS subdomain."""
    yield from _too_long(field, value, 253)
    if not re.fullmatch(_SUBDOMAIN, value):
        yield causes.invalid(field, value, SUBDOMAIN_ADVICE)


def qualified(field: str, value: str) -> Iterator[Cause]:
    """`prefix/name`, as label keys, annotation keys and finalizers are written."""
    prefix, slash, name = value.rpartition("/")
    if slash and not re.fullmatch(_SUBDOMAIN, prefix):
        detail = (
            "prefix part must be non-empty" if not prefix else f"prefix part {SUBDOMAIN_ADVICE}"
        )
        yield causes.invalid(field, value, detail)
    if not name:
        yield causes.invalid(field, value, "name part must be non-empty")
    elif len(name) > 63:
        yield causes.invalid(field, value, "name part must be no more than 63 bytes")
    if not re.fullmatch(_QUALIFIED, name):
        yield causes.invalid(field, value, QUALIFIED_ADVICE)


def label_value(field: str, value: object) -> Iterator[Cause]:
    """A text that has to do as a label's value."""
    text = str(value)
    if len(text) > 63:
        yield causes.invalid(field, text, "must be no more than 63 bytes")
    if not re.fullmatch(_LABEL_VALUE, text):
        yield causes.invalid(field, text, LABEL_VALUE_ADVICE)


def _too_long(field: str, value: str, limit: int) -> Iterator[Cause]:
    if len(value) > limit:
        yield causes.invalid(field, value, f"must be no more than {limit} characters")
