"""Baton's settings: one file, read once. With DATABASE_URL it is the cluster form, without it the embedded one."""

from pathlib import Path

from orchestration import env, preflight

BASE_DIR = Path(__file__).resolve().parent.parent
BATON_DATA = env.data_folder()

DATABASE_URL = env.text("DATABASE_URL")
REDIS_URL = env.text("REDIS_URL")
EMBEDDED = not DATABASE_URL  # one process, SQLite, a broker in memory

DEBUG = False
SECRET_KEY = env.kept_secret("BATON_SECRET_KEY", BATON_DATA, generate=EMBEDDED)
BATON_ENCRYPTION_KEYS = env.kept_secret("BATON_ENCRYPTION_KEYS", BATON_DATA, generate=EMBEDDED).split(",")

# Addresses
PORT = int(env.number("PORT", 8000))
BATON_URL = env.text("BATON_URL") or f"http://127.0.0.1:{PORT}"  # how people reach this instance, for links
ALLOWED_HOSTS = env.words("BATON_HOSTS", "127.0.0.1,localhost,[::1]")
CSRF_TRUSTED_ORIGINS = env.words("BATON_ORIGINS")

INSTALLED_APPS = [
    "django.contrib.auth",
    "django.contrib.contenttypes",
    "django.contrib.sessions",
    "django.contrib.messages",
    "django.contrib.staticfiles",
    "guardian",
    "django_htmx",
    "template_partials",
    "orchestration",
    "designer",
    "runs",
    "approvals",
]

MIDDLEWARE = [
    "django.middleware.security.SecurityMiddleware",
    "django.contrib.sessions.middleware.SessionMiddleware",
    "django.middleware.common.CommonMiddleware",
    "django.middleware.csrf.CsrfViewMiddleware",
    "django.contrib.auth.middleware.AuthenticationMiddleware",
    "django.contrib.messages.middleware.MessageMiddleware",
    "django.middleware.clickjacking.XFrameOptionsMiddleware",
    "csp.middleware.CSPMiddleware",
    "django_htmx.middleware.HtmxMiddleware",
    "orchestration.web.ActorMiddleware",
]

ROOT_URLCONF = "orchestration.urls"
ASGI_APPLICATION = "orchestration.asgi.application"

TEMPLATES = [
    {
        "BACKEND": "django.template.backends.django.DjangoTemplates",
        "DIRS": [BASE_DIR / "templates"],
        "APP_DIRS": True,
        "OPTIONS": {
            "context_processors": [
                "django.template.context_processors.request",
                "django.contrib.auth.context_processors.auth",
                "django.contrib.messages.context_processors.messages",
                "orchestration.web.frame",
            ],
        },
    }
]

# Databases. Waits inside the database stay below half a lease, so that nobody holds a row past it.
DATABASE_POOL_SIZE = int(env.number("DATABASE_POOL_SIZE", 16))
if EMBEDDED:
    DATABASES = {
        "default": {
            "ENGINE": "django.db.backends.sqlite3",
            "NAME": BATON_DATA / preflight.DATABASE,
            "OPTIONS": {
                "transaction_mode": "IMMEDIATE",
                "timeout": 20,  # seconds
                "init_command": "PRAGMA journal_mode=WAL; PRAGMA synchronous=FULL; PRAGMA foreign_keys=ON;",
            },
        }
    }
else:
    DATABASES = {
        "default": env.postgres(
            DATABASE_URL,
            connect_timeout=5,  # seconds
            keepalives_idle=5,
            keepalives_interval=2,
            keepalives_count=2,
            tcp_user_timeout=5000,  # milliseconds
            options="-c statement_timeout=7s -c lock_timeout=5s -c idle_in_transaction_session_timeout=5s",
            pool={"min_size": 0, "max_size": DATABASE_POOL_SIZE, "timeout": 10},
        )
    }
DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"

# People
AUTH_USER_MODEL = "orchestration.User"
AUTHENTICATION_BACKENDS = ["django.contrib.auth.backends.ModelBackend", "guardian.backends.ObjectPermissionBackend"]
AUTH_PASSWORD_VALIDATORS = [
    {"NAME": "django.contrib.auth.password_validation.MinimumLengthValidator", "OPTIONS": {"min_length": 10}},
    {"NAME": "django.contrib.auth.password_validation.CommonPasswordValidator"},
]
ANONYMOUS_USER_NAME = None  # guardian: nobody is somebody
LOGIN_URL = "sign-in"
LOGIN_REDIRECT_URL = "/"
LOGOUT_REDIRECT_URL = "sign-in"

# Safety of the pages
SECURE = BATON_URL.startswith("https://")
SESSION_COOKIE_SECURE = CSRF_COOKIE_SECURE = SECURE
SESSION_COOKIE_NAME = "__Host-session" if SECURE else "session"
SESSION_COOKIE_SAMESITE = CSRF_COOKIE_SAMESITE = "Lax"
SESSION_COOKIE_AGE = 14 * 24 * 3600  # seconds
CSRF_COOKIE_HTTPONLY = True
CSRF_FAILURE_VIEW = "orchestration.error_pages.csrf_failure"
SECURE_SSL_REDIRECT = SECURE
SECURE_REDIRECT_EXEMPT = [r"^healthz$", r"^readyz$"]  # asked from beside this process, without TLS
SECURE_HSTS_SECONDS = 31_536_000 if SECURE else 0
SECURE_HSTS_INCLUDE_SUBDOMAINS = SECURE_HSTS_PRELOAD = SECURE
SECURE_PROXY_SSL_HEADER = ("HTTP_X_FORWARDED_PROTO", "https") if env.flag("BATON_BEHIND_PROXY") else None
X_FRAME_OPTIONS = "DENY"
CONTENT_SECURITY_POLICY = {
    "DIRECTIVES": {
        "default-src": ["'none'"],
        "script-src": ["'self'"],
        "style-src": ["'self'"],
        "img-src": ["'self'", "data:"],
        "connect-src": ["'self'"],
        "form-action": ["'self'"],
        "base-uri": ["'none'"],
        "object-src": ["'none'"],
        "frame-ancestors": ["'none'"],
    }
}
DATA_UPLOAD_MAX_MEMORY_SIZE = 2 * 1024 * 1024  # bytes

LANGUAGE_CODE = "en"
USE_TZ = True
TIME_ZONE = "UTC"
STATIC_URL = "static/"
STATIC_ROOT = BATON_DATA / "static"
STATICFILES_DIRS = [BASE_DIR / "static"]

# Celery carries hints only: JSON, no results, nothing that matters if it is lost.
CELERY_BROKER_URL = REDIS_URL or "memory://localhost//"
CELERY_BROKER_TRANSPORT_OPTIONS = (
    {"socket_timeout": 1, "socket_connect_timeout": 1} if REDIS_URL else {"polling_interval": 0.02}
)
CELERY_BROKER_CONNECTION_RETRY_ON_STARTUP = True
CELERY_ACCEPT_CONTENT = ["json"]
CELERY_TASK_IGNORE_RESULT = True
CELERY_TASK_SERIALIZER = "json"
CELERY_TASK_DEFAULT_QUEUE = env.text("BATON_QUEUE", "baton")
CELERY_WORKER_HIJACK_ROOT_LOGGER = False
CELERY_TIMEZONE = "UTC"

# The engine. Seconds.
BATON_LEASE_SECONDS = env.number("BATON_LEASE_SECONDS", 15)
BATON_LEASE_RENEW_SECONDS = env.number("BATON_LEASE_RENEW_SECONDS", 5)
BATON_LEASE_MARGIN_SECONDS = env.number("BATON_LEASE_MARGIN_SECONDS", 3)
BATON_SWEEP_SECONDS = env.number("BATON_SWEEP_SECONDS", 1)
BATON_DRAIN_SECONDS = env.number("BATON_DRAIN_SECONDS", 10)  # what a stopping worker gives calls in flight
BATON_RUNS_PER_WORKER = int(env.number("BATON_RUNS_PER_WORKER", 500))  # runs one process advances at once
BATON_USE_BROKER = env.flag("BATON_USE_BROKER", True)  # off: workers find everything by sweeping
BATON_FAILPOINTS = ""  # test settings only: see runs/failpoints.py

# Where the arrow of imports is met from the other side: called in the caller's transaction.
BATON_OPEN_APPROVAL = "approvals.requests.open_for_run"
BATON_USE_APPROVAL = "approvals.requests.use"
BATON_VOID_APPROVALS = "approvals.requests.void_for_run"
BATON_ASKED_OF_RUN = "approvals.asked.of_run"  # for the run's page: its open requests
BATON_WAITING_FOR_ME = "approvals.queries.count_mine"  # for the navigation
BATON_ENGINE = "runs.worker.Worker"  # what a Celery worker starts
BATON_HOUSEKEEPING = {  # duty -> run_once(limit) -> count
    "sealed": "orchestration.audit_chain.seal",
    "expired": "approvals.expiring.run_once",
}

# Tools an operator gives to this instance: which MCP servers may be started, from a file of theirs.
BATON_MCP_SERVERS = env.text("BATON_MCP_SERVERS") or str(BASE_DIR / "samples" / "mcp_servers.json")
BATON_EXTRA_KINDS: dict[str, str] = {}  # bench and tests add work steps of their own

LOGGING = {
    "version": 1,
    "disable_existing_loggers": False,
    "formatters": {"line": {"format": "%(asctime)s %(levelname)s %(name)s %(message)s"}},
    "handlers": {"stderr": {"class": "logging.StreamHandler", "formatter": "line"}},
    "root": {"handlers": ["stderr"], "level": env.text("BATON_LOG", "WARNING").upper()},
    "loggers": {"baton": {"level": env.text("BATON_LOG", "INFO").upper()}},
}
