"""A wish for instances, as a page or a program words it."""

from dataclasses import dataclass
from datetime import datetime

from provisioning.specs import SecretText, VolumeMount


@dataclass(frozen=True, kw_only=True)
class InstanceWish:
    """What is wished: which type, which image, how many, called what, until when.

    `own_image` is a reference of the tenant's own, in the place of an image of ours.
    """

    instance_type_slug: str
    image_slug: str = ""
    own_image: str = ""
    count: int = 1
    name: str = ""
    ends_at: datetime | None = None
    volumes: tuple[VolumeMount, ...] = ()
    secrets: tuple[SecretText, ...] = ()
    wants_token: bool = False
