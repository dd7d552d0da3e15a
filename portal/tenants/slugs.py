"""Short names for addresses, out of what people type.

Pure but for the random tail: Korean names leave no Latin letters, so they get one.
"""

import re
import secrets

from django.utils.text import slugify

MAX_LENGTH = 48


def slug_from(name: str, *, fallback: str) -> str:
    """Turn a name into a short name; one without Latin letters gets the fallback and a tail."""
    slug = slugify(name)[:MAX_LENGTH].strip("-_")
    return slug or f"{fallback}-{_tail()}"


def with_tail(slug: str) -> str:
    """Give the same short name with a random tail, for when it is taken."""
    return f"{slug[: MAX_LENGTH - 7]}-{_tail()}"


def is_slug(text: str) -> bool:
    """Whether it may stand in an address as it is."""
    return bool(re.fullmatch(rf"[a-z0-9](?:[a-z0-9-]{{0,{MAX_LENGTH - 2}}}[a-z0-9])?", text))


def _tail() -> str:
    return secrets.token_hex(3)
