"""A wish for instances, as a page or a program words it."""

from dataclasses import dataclass
from datetime import datetime


@dataclass(frozen=True, kw_only=True)
class InstanceWish:
    """What is wished: which type, which image, how many, called what, until when."""

    instance_type_slug: str
    image_slug: str
    count: int = 1
    name: str = ""
    ends_at: datetime | None = None
