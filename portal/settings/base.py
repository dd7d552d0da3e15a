"""Configuration, read from the environment in this one place.

Without any environment the embedded engines serve: `manage.py up` writes their
addresses and secrets to `env` in the farm's state folder, and every later
process reads them from there.  What the real environment says wins.
"""

import os
from pathlib import Path

import environ

from portal.engines import environment

BASE_DIR = Path(__file__).resolve().parent.parent.parent
env = environ.Env()
FARM_HOME = Path(env.str("FARM_HOME", default=str(BASE_DIR / ".farm"))).resolve()
# Into this object only: what stands in the process's environment was really given from outside.
env.ENVIRON = {**environment.load(FARM_HOME), **os.environ}

DEBUG = env.bool("DEBUG", default=False)
# Enough for commands before the first `manage.py up`, which writes one; the web refuses it.
UNSET_SECRET_KEY = "unset"  # noqa: S105
SECRET_KEY = env.str("SECRET_KEY", default="") or UNSET_SECRET_KEY
FARM_ENCRYPTION_KEY = env.str("FARM_ENCRYPTION_KEY", default="")
ALLOWED_HOSTS = env.list("ALLOWED_HOSTS", default=["127.0.0.1", "localhost", "[::1]"])
CSRF_TRUSTED_ORIGINS = env.list("CSRF_TRUSTED_ORIGINS", default=[])
FARM_ADDRESS = env.str("FARM_ADDRESS", default="http://127.0.0.1:8000")

INSTALLED_APPS = [
    "portal",
    "portal.tenants",
    "portal.quotas",
    "portal.requests",
    "portal.notices",
    "portal.access",
    "portal.web",
    "portal.api",
    "provisioning",
    "billing",
    "django.contrib.auth",
    "django.contrib.contenttypes",
    "django.contrib.sessions",
    "django.contrib.messages",
    "servestatic.runserver_nostatic",
    "django.contrib.staticfiles",
    "django.contrib.humanize",
    "django.contrib.postgres",
    "django.forms",
    "allauth",
    "allauth.account",
    "csp",
    "django_htmx",
    "django_cotton",
    "heroicons",
    "django_filters",
    "rest_framework",
    "drf_spectacular",
    "drf_standardized_errors",
]

MIDDLEWARE = [
    "portal.health.answering",
    "django.middleware.security.SecurityMiddleware",
    "csp.middleware.CSPMiddleware",
    "servestatic.middleware.ServeStaticMiddleware",
    "django.contrib.sessions.middleware.SessionMiddleware",
    "django.middleware.locale.LocaleMiddleware",
    "django.middleware.common.CommonMiddleware",
    "django.middleware.csrf.CsrfViewMiddleware",
    "django.contrib.auth.middleware.AuthenticationMiddleware",
    "portal.web.languages.PersonalLanguage",
    "django.contrib.messages.middleware.MessageMiddleware",
    "django.middleware.clickjacking.XFrameOptionsMiddleware",
    "django_htmx.middleware.HtmxMiddleware",
    "allauth.account.middleware.AccountMiddleware",
]

ROOT_URLCONF = "portal.urls"
ASGI_APPLICATION = "portal.asgi.application"
TEMPLATES = [
    {
        "BACKEND": "django.template.backends.django.DjangoTemplates",
        "DIRS": [],
        "APP_DIRS": True,
        "OPTIONS": {
            "context_processors": [
                "django.template.context_processors.request",
                "django.contrib.auth.context_processors.auth",
                "django.contrib.messages.context_processors.messages",
                "django.template.context_processors.i18n",
                "portal.web.surroundings.surround",
            ],
        },
    },
]
FORM_RENDERER = "django.forms.renderers.TemplatesSetting"

# --- database -------------------------------------------------------------
# Two roles on one database: the application's owns no table and cannot TRUNCATE;
# the owner's migrates (`manage.py migrate` takes it by default).
_UNSET = "postgres://unset@127.0.0.1:1/unset"


def _database(name: str) -> dict[str, object]:
    return {
        **env.db_url_config(env.str(name, default=_UNSET)),
        "CONN_MAX_AGE": env.int("CONN_MAX_AGE", default=60),
        "CONN_HEALTH_CHECKS": True,
        "OPTIONS": {"connect_timeout": 5, "application_name": "npu-farm"},
    }


DATABASES = {"default": _database("DATABASE_URL"), "owner": _database("DATABASE_OWNER_URL")}
DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"
CACHES = {
    "default": (
        env.cache_url("CACHE_URL")
        if env.str("CACHE_URL", default="")
        else {"BACKEND": "django.core.cache.backends.db.DatabaseCache", "LOCATION": "cache"}
    )
}

# --- people ---------------------------------------------------------------
AUTH_USER_MODEL = "tenants.User"
AUTHENTICATION_BACKENDS = ["allauth.account.auth_backends.AuthenticationBackend"]
PASSWORD_HASHERS = [
    "django.contrib.auth.hashers.Argon2PasswordHasher",
    "django.contrib.auth.hashers.PBKDF2PasswordHasher",
]
AUTH_PASSWORD_VALIDATORS = [
    {"NAME": f"django.contrib.auth.password_validation.{name}"}
    for name in (
        "UserAttributeSimilarityValidator",
        "MinimumLengthValidator",
        "CommonPasswordValidator",
        "NumericPasswordValidator",
    )
]
ACCOUNT_USER_MODEL_USERNAME_FIELD = None
ACCOUNT_LOGIN_METHODS = {"email"}
ACCOUNT_ADAPTER = "portal.web.entering.Adapter"
ACCOUNT_SIGNUP_FIELDS = ["email*", "password1*", "password2*"]
# Members and staff are named by address: where mail goes out, an address must be its owner's.
ACCOUNT_EMAIL_VERIFICATION = env.str(
    "ACCOUNT_EMAIL_VERIFICATION",
    default="mandatory" if env.str("EMAIL_URL", default="") else "optional",
)
ACCOUNT_SESSION_REMEMBER = True
LOGIN_URL = "account_login"
LOGIN_REDIRECT_URL = "/"
ACCOUNT_LOGOUT_REDIRECT_URL = "/"

# --- web ------------------------------------------------------------------
SESSION_COOKIE_HTTPONLY = True
SESSION_COOKIE_SECURE = CSRF_COOKIE_SECURE = env.bool("SECURE_COOKIES", default=False)
# This prefix keeps pages of other hosts of our domain, instances' among them, from planting a
# cookie here; browsers grant it to secure cookies only.
_HOST_ONLY = "__Host-" if SESSION_COOKIE_SECURE else ""
SESSION_COOKIE_NAME, CSRF_COOKIE_NAME = f"{_HOST_ONLY}sessionid", f"{_HOST_ONLY}csrftoken"
PORT_COOKIE_NAME, PORT_STATE_COOKIE_NAME = (
    f"{_HOST_ONLY}npu-farm-port",
    f"{_HOST_ONLY}npu-farm-state",
)
SECURE_PROXY_SSL_HEADER = (
    ("HTTP_X_FORWARDED_PROTO", "https") if env.bool("BEHIND_PROXY", default=False) else None
)
SECURE_REFERRER_POLICY = "same-origin"
X_FRAME_OPTIONS = "DENY"
CONTENT_SECURITY_POLICY = {
    "DIRECTIVES": {
        "default-src": ["'none'"],
        "script-src": ["'self'"],
        "style-src": ["'self'"],
        "img-src": ["'self'", "data:"],
        "font-src": ["'self'"],
        "connect-src": ["'self'"],
        "form-action": ["'self'"],
        "frame-ancestors": ["'none'"],
        "base-uri": ["'none'"],
        "manifest-src": ["'self'"],
    },
}

# --- access ---------------------------------------------------------------
# Ports of instances are visited at `<instance>-<port>.<this>`, each an origin of its own; browsers
# find every name below localhost on this machine.  In production it wants a domain and a
# wildcard certificate of its own, beside the portal's and not below it.
APPS_DOMAIN = env.str("APPS_DOMAIN", default="localhost").lower().strip(".")
ACCESS_THREADS = env.int("ACCESS_THREADS", default=4)
# Requests and sockets to ports that one person may have open at once, per web process.
OPEN_PER_PERSON = env.int("OPEN_PER_PERSON", default=200)
# How often an open terminal, stream or visit is asked whether it still may.
ACCESS_CHECK_SECONDS = env.float("ACCESS_CHECK_SECONDS", default=5.0)
TERMINAL_IDLE_SECONDS = env.float("TERMINAL_IDLE_SECONDS", default=3600.0)
TERMINAL_LONGEST_SECONDS = env.float("TERMINAL_LONGEST_SECONDS", default=12 * 3600.0)
TERMINALS_PER_INSTANCE = env.int("TERMINALS_PER_INSTANCE", default=50)
# Logs that may be followed at once, over all web processes.
LOG_STREAMS_PER_PERSON = env.int("LOG_STREAMS_PER_PERSON", default=20)
LOG_STREAMS_PER_INSTANCE = env.int("LOG_STREAMS_PER_INSTANCE", default=50)
STREAM_LONGEST_SECONDS = env.float("STREAM_LONGEST_SECONDS", default=3600.0)
PORT_SESSION_SECONDS = env.float("PORT_SESSION_SECONDS", default=12 * 3600.0)
TICKET_SECONDS = 30
# Where an API server's connections to pods come from, as its network shows them: NetworkPolicies
# let these in, and nobody else.  What comes from kube-system (a tunnel's agents) may enter anyway.
PROXY_SOURCE_RANGES = env.list("PROXY_SOURCE_RANGES", default=[])

STATIC_URL = "/static/"
STATIC_ROOT = FARM_HOME / "static"
STORAGES = {
    "default": {"BACKEND": "django.core.files.storage.FileSystemStorage"},
    "staticfiles": {"BACKEND": "servestatic.storage.CompressedManifestStaticFilesStorage"},
}
FRONTEND_BUILD_DIR = BASE_DIR / "portal" / "web" / "static" / "build"
DOCUMENT_FONT_DIRS = [FRONTEND_BUILD_DIR / "fonts"]

LANGUAGE_CODE = "ko"
LANGUAGES = [("ko", "한국어"), ("en", "English")]
LOCALE_PATHS = [BASE_DIR / "portal" / "web" / "locale"]
TIME_ZONE = "Asia/Seoul"
USE_TZ = True

EMAIL_BACKEND = "django.core.mail.backends.console.EmailBackend"
if env.str("EMAIL_URL", default=""):
    vars().update(env.email_url("EMAIL_URL"))
DEFAULT_FROM_EMAIL = env.str("DEFAULT_FROM_EMAIL", default="NPU Farm <farm@localhost>")

# --- api ------------------------------------------------------------------
REST_FRAMEWORK = {
    "DEFAULT_SCHEMA_CLASS": "portal.api.schema.AutoSchema",
    "EXCEPTION_HANDLER": "portal.api.problems.exception_handler",
    "DEFAULT_AUTHENTICATION_CLASSES": [
        "portal.api.tokens.TokenAuthentication",
        "rest_framework.authentication.SessionAuthentication",
    ],
    "DEFAULT_PERMISSION_CLASSES": ["rest_framework.permissions.IsAuthenticated"],
    "DEFAULT_PAGINATION_CLASS": "portal.api.pagination.CreatedCursorPagination",
    "DEFAULT_THROTTLE_CLASSES": ["portal.api.throttling.MinuteThrottle"],
    "DEFAULT_RENDERER_CLASSES": ["rest_framework.renderers.JSONRenderer"],
    "DEFAULT_PARSER_CLASSES": ["rest_framework.parsers.JSONParser"],
    "TEST_REQUEST_DEFAULT_FORMAT": "json",
    "URL_FORMAT_OVERRIDE": None,
}
API_CALLS_PER_MINUTE = env.int("API_CALLS_PER_MINUTE", default=18000)
SPECTACULAR_SETTINGS = {
    "TITLE": "NPU Farm",
    "DESCRIPTION": "Rent NPU time: quotas, instances, usage, invoices.",
    "VERSION": "1",
    "OAS_VERSION": "3.1.0",
    "SERVE_INCLUDE_SCHEMA": False,
    "SERVE_PERMISSIONS": ["rest_framework.permissions.AllowAny"],
    "SCHEMA_PATH_PREFIX": "/api/v1",
    "COMPONENT_SPLIT_REQUEST": True,
    "ENUM_ADD_EXPLICIT_BLANK_NULL_CHOICE": False,
    "ENUM_GENERATE_CHOICE_DESCRIPTION": False,
    "ENUM_NAME_OVERRIDES": {
        "RoleEnum": "portal.api.words.ROLES",
        "ProjectRoleEnum": "portal.api.words.PROJECT_ROLES",
        "StaffRoleEnum": "portal.api.words.STAFF_ROLES",
        "RequestStateEnum": "portal.api.words.REQUEST_STATES",
        "InstanceStateEnum": "portal.api.words.INSTANCE_STATES",
        "AttemptStateEnum": "portal.api.words.ATTEMPT_STATES",
        "ClusterStateEnum": "portal.api.words.CLUSTER_STATES",
        "ClusterQuestionEnum": "portal.api.words.CLUSTER_QUESTIONS",
        "ClusterVerdictEnum": "portal.api.words.CLUSTER_VERDICTS",
        "VolumeStateEnum": "portal.api.words.VOLUME_STATES",
        "SecretKindEnum": "portal.api.words.SECRET_KINDS",
        "IdentityEnum": "portal.api.words.IDENTITIES",
        "HealthEnum": "portal.api.words.HEALTHS",
        "MaintenancePolicyEnum": "portal.api.words.MAINTENANCE_POLICIES",
        "InvoiceStateEnum": "portal.api.words.INVOICE_STATES",
        "CloseExceptionCodeEnum": "portal.api.words.BLOCKERS",
    },
    "POSTPROCESSING_HOOKS": [
        "drf_spectacular.hooks.postprocess_schema_enums",
        "portal.api.schema.add_problems",
    ],
}
# Instance requests inside the quota launch at once, unless one of these holds them for a person.
REQUEST_HOLD_DEVICES_OVER = env.int("REQUEST_HOLD_DEVICES_OVER", default=0) or None
REQUEST_HOLD_LEASE_DAYS_OVER = env.int("REQUEST_HOLD_LEASE_DAYS_OVER", default=0) or None
REQUEST_HOLD_WITHOUT_END = env.bool("REQUEST_HOLD_WITHOUT_END", default=False)

# --- work -----------------------------------------------------------------
# The broker only wakes workers: the rows say what is due, a sweep finds what a lost message left.
BROKER_DIR = FARM_HOME / "broker"
CELERY_BROKER_URL = env.str("CELERY_BROKER_URL", default="folder://localhost")
if CELERY_BROKER_URL == "folder://localhost":
    CELERY_BROKER_TRANSPORT_OPTIONS = {
        "data_folder_in": str(BROKER_DIR / "queue"),
        "data_folder_out": str(BROKER_DIR / "queue"),
        "control_folder": str(BROKER_DIR / "control"),
        "polling_interval": 0.01,
    }
CELERY_BROKER_CONNECTION_RETRY_ON_STARTUP = True
CELERY_TASK_IGNORE_RESULT = True
CELERY_TASK_ACKS_LATE = True
CELERY_TASK_REJECT_ON_WORKER_LOST = False
CELERY_WORKER_PREFETCH_MULTIPLIER = 1
CELERY_WORKER_MAX_TASKS_PER_CHILD = 1000
CELERY_TASK_SOFT_TIME_LIMIT = 25
CELERY_TASK_TIME_LIMIT = 40
CELERY_TASK_DEFAULT_QUEUE = "reconcile"
CELERY_TASK_ROUTES = {
    "provisioning.drain_due": {"queue": "reconcile"},
    "provisioning.sweep": {"queue": "sweep"},
    "provisioning.remind": {"queue": "sweep"},
    "provisioning.examine_cluster": {"queue": "portal"},
    "provisioning.read_exporters": {"queue": "portal"},
    "billing.*": {"queue": "billing"},
    "portal.*": {"queue": "portal"},
}
CELERY_TIMEZONE = "UTC"
CELERY_BEAT_SCHEDULE = {
    "sweep": {"task": "provisioning.sweep", "schedule": 10.0, "options": {"expires": 10}},
    "remind": {"task": "provisioning.remind", "schedule": 60.0, "options": {"expires": 60}},
    "close lost terminals": {
        "task": "portal.close_lost_terminals",
        "schedule": 60.0,
        "options": {"expires": 60},
    },
    "release reservations": {
        "task": "portal.sweep_reservations",
        "schedule": 30.0,
        "options": {"expires": 30},
    },
    "read exporters": {
        "task": "provisioning.read_exporters",
        "schedule": 60.0,
        "options": {"expires": 60},
    },
    "carry notices": {
        "task": "portal.carry_notices",
        "schedule": 30.0,
        "options": {"expires": 30},
    },
    "forget idempotency keys": {
        "task": "portal.forget_idempotency_keys",
        "schedule": 3600.0,
        "options": {"expires": 3600},
    },
}

# --- operating ------------------------------------------------------------
# A worker in which no task has run for so long ends, and is started again: longer than any task.
WORKER_DEAF_AFTER_S = env.float("WORKER_DEAF_AFTER_S", default=120.0)
# Without a token the metrics are told to the machine itself alone, and behind a proxy to nobody.
METRICS_TOKEN = env.str("METRICS_TOKEN", default="")

# --- devices --------------------------------------------------------------
# Families whose vendor published no device plugin are known by the name this farm gives them.
FARM_RESOURCE_NAMES = env.json(
    "FARM_RESOURCE_NAMES",
    default={
        "sapeon-x330-prime": ["npu-farm.local/sapeon-x330-prime"],
        "sapeon-x330-compact": ["npu-farm.local/sapeon-x330-compact"],
    },
)

# What a cluster is examined with: any image of yours with `sh` and `nc`.
FARM_PROBE_IMAGE = env.str("FARM_PROBE_IMAGE", default="registry.local/npu-workspace:1")

# --- volumes --------------------------------------------------------------
# The storage class to use per cluster; one that is not named here gives its own default.
FARM_STORAGE_CLASSES = env.json("FARM_STORAGE_CLASSES", default={})
# What one project may have on all its volumes together.
VOLUME_GIB_PER_PROJECT = env.int("VOLUME_GIB_PER_PROJECT", default=1000)

# --- reconciling and watching ---------------------------------------------
# What carries this domain in a cluster is ours; the installation's key tells which of us made it.
FARM_DOMAIN = env.str("FARM_DOMAIN", default="npu-farm.local")
# A worker that dies holds its instance for this long.
RECONCILE_LEASE_SECONDS = env.float("RECONCILE_LEASE_SECONDS", default=60.0)
RELIST_INTERVAL = env.float("RELIST_INTERVAL", default=300.0)
WITNESS_INTERVAL = env.float("WITNESS_INTERVAL", default=30.0)

LOGGING = {
    "version": 1,
    "disable_existing_loggers": False,
    "formatters": {
        "line": {"format": "%(asctime)s %(levelname)s %(name)s %(message)s"},
    },
    "handlers": {"stderr": {"class": "logging.StreamHandler", "formatter": "line"}},
    "root": {"handlers": ["stderr"], "level": env.str("LOG_LEVEL", default="INFO")},
    "loggers": {
        # At DEBUG the client prints bodies, secrets included.
        "kubernetes": {"level": "INFO"},
        "httpx": {"level": "WARNING"},
        # Addresses carry tickets, and on the way to a notebook its token.
        "uvicorn.access": {"level": "WARNING"},
    },
}
