"""The web process's entry: plain HTTP through Django."""

import os

from django.conf import settings
from django.core.asgi import get_asgi_application
from django.core.exceptions import ImproperlyConfigured

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "portal.settings.base")

application = get_asgi_application()
# With a key everybody can read, anybody could sign the link that resets a password.
if settings.SECRET_KEY == settings.UNSET_SECRET_KEY:
    raise ImproperlyConfigured("SECRET_KEY is not set.")
