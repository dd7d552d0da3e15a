"""Kubernetes quantities: `500m`, `8Gi`, `1e3` as exact numbers, and back."""

import re
from decimal import Decimal
from fractions import Fraction
from functools import lru_cache

_FORM = re.compile(r"^([+-]?)(\d+(?:\.\d*)?|\.\d+)(?:([eE][+-]?\d+)|([numkMGTPE]|[KMGTPE]i)?)$")
_SUFFIXES: dict[str, Fraction] = {
    "n": Fraction(1, 10**9),
    "u": Fraction(1, 10**6),
    "m": Fraction(1, 1000),
    "": Fraction(1),
    **{suffix: Fraction(1000 ** (i + 1)) for i, suffix in enumerate("kMGTPE")},
    **{f"{letter}i": Fraction(1024 ** (i + 1)) for i, letter in enumerate("KMGTPE")},
}
_BINARY = [(f"{letter}i", 1024 ** (i + 1)) for i, letter in enumerate("KMGTPE")][::-1]
_DECIMAL = [(suffix, 1000 ** (i + 1)) for i, suffix in enumerate("kMGTPE")][::-1]


_ADVICE = (
    "quantities must match the regular expression '^([+-]?[0-9.]+)([eEinumkKMGTP]*[-+]?[0-9]*)$'"
)


class BadQuantity(ValueError):
    """A text that is no quantity."""

    def __init__(self) -> None:
        super().__init__(_ADVICE)


@lru_cache(maxsize=4096)
def parse(text: str) -> Fraction:
    """The exact number a quantity stands for."""
    match = _FORM.match(text)
    if match is None or text.startswith("Ki"):
        raise BadQuantity
    sign, digits, exponent, suffix = match.groups()
    amount = Fraction(Decimal(digits + (exponent or ""))) * _SUFFIXES[suffix or ""]
    return -amount if sign == "-" else amount


def read(value: object) -> Fraction:
    """A quantity out of JSON, where a bare number is allowed too."""
    if isinstance(value, bool) or not isinstance(value, str | int | float):
        raise BadQuantity
    return parse(str(value))


def canonical(value: object) -> str:
    """The form the server stores: `1000m` becomes `1`, `1024Mi` becomes `1Gi`."""
    return _canonical(str(value))


@lru_cache(maxsize=4096)
def _canonical(text: str) -> str:
    return write(parse(text), binary=text.endswith("i"))


def write(amount: Fraction, *, binary: bool = False) -> str:
    """A number as the server prints it."""
    if amount.denominator != 1:
        return _write_fraction(amount)
    whole = amount.numerator
    if whole == 0:
        return "0"
    for suffix, factor in _BINARY if binary else _DECIMAL:
        if whole % factor == 0:
            return f"{whole // factor}{suffix}"
    return str(whole)


def _write_fraction(amount: Fraction) -> str:
    for suffix in ("m", "u"):
        scaled = amount / _SUFFIXES[suffix]
        if scaled.denominator == 1:
            return f"{scaled.numerator}{suffix}"
    # Below a nano the real type rounds up.
    scaled = amount / _SUFFIXES["n"]
    return f"{-(-scaled.numerator // scaled.denominator)}n"
