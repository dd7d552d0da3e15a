"""Settings of a test run: a throwaway database server, fast hashing, mails kept in memory."""

import os

from portal.engines import throwaway

if "DATABASE_URL" not in os.environ or throwaway.is_anothers():
    # Whoever waits inside the database cannot be told that a test's time is up.
    os.environ.update(
        throwaway.start(synchronous_commit="off", lock_timeout="60s", statement_timeout="240s")
    )

from portal.settings.base import *  # noqa: F403

PASSWORD_HASHERS = ["django.contrib.auth.hashers.MD5PasswordHasher"]
EMAIL_BACKEND = "django.core.mail.backends.locmem.EmailBackend"
STORAGES = {
    "default": {"BACKEND": "django.core.files.storage.FileSystemStorage"},
    "staticfiles": {"BACKEND": "django.contrib.staticfiles.storage.StaticFilesStorage"},
}
CACHES = {"default": {"BACKEND": "django.core.cache.backends.locmem.LocMemCache"}}
# The static file server warns of a missing directory, and a warning fails a test.
STATIC_ROOT.mkdir(parents=True, exist_ok=True)  # noqa: F405
