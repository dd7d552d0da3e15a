"""The web process's entry: pages through Django, instances' ports and terminals beside it."""

import os

from django.conf import settings
from django.core.asgi import get_asgi_application
from django.core.exceptions import ImproperlyConfigured

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "portal.settings.base")

_pages = get_asgi_application()
# Settings and models have to be there first.
from portal.access import dispatching  # noqa: E402

application = dispatching.by_host(_pages)
# With a key everybody can read, anybody could sign the link that resets a password.
if settings.SECRET_KEY == settings.UNSET_SECRET_KEY:
    raise ImproperlyConfigured("SECRET_KEY is not set.")
