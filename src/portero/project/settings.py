"""Django's settings. No secret has a default here.

Without a configuration the key and the database stay empty, and Django refuses to use either.
Processes start through `Configuration.from_environment`, which says what is missing.
"""

from __future__ import annotations

from typing import Any
from urllib.parse import urlsplit

from portero.engine.addresses import TrustedProxies
from portero.project.configuration import (
    Configuration,
    ConfigurationError,
    database_settings,
    is_loopback,
)

try:
    _configuration = Configuration.from_environment()
except ConfigurationError:
    SECRET_KEY = ""
    ALLOWED_HOSTS: list[str] = []
    DATABASES: dict[str, Any] = {}
    PORTERO_IS_PUBLIC = False
    PORTERO_PROXIES = TrustedProxies()
else:
    SECRET_KEY = _configuration.secret_key.reveal().decode()
    PORTERO_IS_PUBLIC = _configuration.is_public
    PORTERO_PROXIES = TrustedProxies(str(one) for one in _configuration.trusted_proxies)
    _own_names = (
        [str(urlsplit(_configuration.console_url).hostname)]
        if PORTERO_IS_PUBLIC
        else _configuration.hosts
    )
    # Whoever keeps the console running asks it by the address it listens on.
    ALLOWED_HOSTS = [*_own_names, "localhost", _configuration.console_listen.host_in_url]
    PORTERO_KEK = _configuration.kek
    PORTERO_PEPPER = _configuration.pepper
    PORTERO_GRAPH_URL = _configuration.graph_url
    PORTERO_CONSOLE_URL = _configuration.console_url
    PORTERO_MAILBOX = _configuration.state / "mailbox"
    PORTERO_SENDS_MAIL = _configuration.mail is not None
    PORTERO_LIVE_ORIGIN = _configuration.live_origin
    DEFAULT_FROM_EMAIL = _configuration.mail_from
    if _configuration.mail is None:
        EMAIL_BACKEND = "django.core.mail.backends.dummy.EmailBackend"
    elif _configuration.mail.is_mailbox:
        EMAIL_BACKEND = "django.core.mail.backends.filebased.EmailBackend"
        EMAIL_FILE_PATH = str(PORTERO_MAILBOX)
    else:
        EMAIL_HOST, EMAIL_PORT = _configuration.mail.host, _configuration.mail.port
        EMAIL_HOST_USER = _configuration.mail.user
        if _configuration.mail.password is not None:
            EMAIL_HOST_PASSWORD = _configuration.mail.password.reveal().decode()
        EMAIL_USE_SSL = _configuration.mail.is_tls
        EMAIL_USE_TLS = not _configuration.mail.is_tls and not is_loopback(EMAIL_HOST)
        EMAIL_TIMEOUT = 20
    PORTERO_GRAPH_VERSION = _configuration.graph_version
    PORTERO_PUBLIC_URL = _configuration.public_url or _configuration.gateway_listen.url
    DATABASES = {"default": database_settings(_configuration.dsn("app"))}

# Counts of failed sign-ins, shared by every process.
CACHES = {
    "default": {
        "BACKEND": "django.core.cache.backends.db.DatabaseCache",
        "LOCATION": "console_cache",
        # Django throws a third away beyond this, what still counts too.
        "OPTIONS": {"MAX_ENTRIES": 1_000_000},
    }
}

DEBUG = False
INSTALLED_APPS = [
    "django.contrib.contenttypes",
    "django.contrib.auth",
    "django.contrib.messages",
    # Before allauth, whose templates ours stand in for.
    "portero.console",
    "allauth",
    "allauth.account",
    "allauth.mfa",
    "portero.domain.audit",
    "portero.domain.access",
    "portero.domain.accounts",
    "portero.domain.workspaces",
    "portero.domain.messaging",
    "portero.domain.webhooks",
    "portero.domain.notices",
    "procrastinate.contrib.django",
]
# Jobs that were done leave no row; one whose worker went away is taken up again within a minute.
PROCRASTINATE_WORKER_DEFAULTS = {
    "delete_jobs": "successful",
    "update_heartbeat_interval": 5,
    "stalled_worker_timeout": 30,
}
MIDDLEWARE = [
    "portero.console.arrival.Arrivals",
    "portero.console.guarding.StrictHeaders",
    "django.middleware.security.SecurityMiddleware",
    "django.middleware.clickjacking.XFrameOptionsMiddleware",
    "django.contrib.sessions.middleware.SessionMiddleware",
    "django.middleware.locale.LocaleMiddleware",
    # Before the form's token and the doors: who looks with somebody else's eyes sends nothing.
    "portero.console.seeing_as.ThroughALens",
    "django.middleware.common.CommonMiddleware",
    "django.middleware.csrf.CsrfViewMiddleware",
    "django.contrib.auth.middleware.AuthenticationMiddleware",
    "portero.console.preferences.OwnLanguage",
    "django.contrib.messages.middleware.MessageMiddleware",
    "allauth.account.middleware.AccountMiddleware",
    "portero.console.passkeys.Challenges",
    "portero.console.known_devices.KnownDevices",
    "portero.console.doors.Doorkeeper",
]
ROOT_URLCONF = "portero.project.urls"
WSGI_APPLICATION = "portero.project.wsgi.application"
TEMPLATES = [
    {
        "BACKEND": "django.template.backends.django.DjangoTemplates",
        "APP_DIRS": True,
        "OPTIONS": {
            "context_processors": [
                "django.template.context_processors.request",
                "django.contrib.auth.context_processors.auth",
                "django.contrib.messages.context_processors.messages",
                "portero.console.shell.shell",
            ]
        },
    }
]
# Its own pages may know where somebody came from: without it a browser hides the Origin of forms.
SECURE_REFERRER_POLICY = "same-origin"

USE_TZ = True
TIME_ZONE = "UTC"
USE_I18N = True
LANGUAGE_CODE = "en"
FORMAT_MODULE_PATH = "portero.console.formats"
LANGUAGES = [("es", "Español"), ("pt-br", "Português"), ("en", "English")]

# Who somebody is: passwords and second factors by allauth, under our own pages.
AUTH_USER_MODEL = "accounts.Person"
AUTHENTICATION_BACKENDS = ["allauth.account.auth_backends.AuthenticationBackend"]
PASSWORD_HASHERS = ["portero.console.signing_in.Argon2id"]
AUTH_PASSWORD_VALIDATORS: list[dict[str, Any]] = [
    {
        "NAME": "django.contrib.auth.password_validation.MinimumLengthValidator",
        "OPTIONS": {"min_length": 15},
    },
    {"NAME": "django.contrib.auth.password_validation.CommonPasswordValidator"},
    {"NAME": "django.contrib.auth.password_validation.NumericPasswordValidator"},
    {"NAME": "django.contrib.auth.password_validation.UserAttributeSimilarityValidator"},
]
LOGIN_URL = "account_login"
LOGIN_REDIRECT_URL = "console:home"
ACCOUNT_ADAPTER = "portero.console.signing_in.Accounts"
ACCOUNT_LOGIN_METHODS = {"email"}
ACCOUNT_SIGNUP_FIELDS = ["email*", "password1*"]
ACCOUNT_USER_MODEL_USERNAME_FIELD = None
ACCOUNT_EMAIL_VERIFICATION = "none"
ACCOUNT_EMAIL_NOTIFICATIONS = False  # until mail can be sent
ACCOUNT_LOGOUT_REDIRECT_URL = "account_login"
ACCOUNT_SESSION_REMEMBER = False
ACCOUNT_REAUTHENTICATION_TIMEOUT = 300
# Thirty a minute from one address would lock an office out; passwords are throttled by ourselves.
ACCOUNT_RATE_LIMITS = {"login": None}
# A passkey cannot be guessed: this bounds the work of looking at signatures, an office coming in together.
MFA_RATE_LIMITS = {"webauthn_login": "300/m/ip"}
MFA_ADAPTER = "portero.console.signing_in.Factors"
MFA_SUPPORTED_TYPES = ["webauthn", "totp", "recovery_codes"]
MFA_PASSKEY_LOGIN_ENABLED = True
MFA_TOTP_ISSUER = "Portero"
MFA_ALLOW_UNVERIFIED_EMAIL = True  # whoever follows an invitation reads that mailbox
MFA_TOTP_TOLERANCE = 1
MFA_RECOVERY_CODE_DIGITS = 20  # at least 64 bits (B1.6)
MFA_RECOVERY_CODES_SHOW_ONCE = True  # else whoever comes in for a moment takes them along, unseen
# A key that only asks to be touched is no second factor, and must not sign anybody in alone.
MFA_WEBAUTHN_USER_VERIFICATION = "required"
MFA_FORMS = {
    "authenticate": "portero.console.codes.Authenticate",
    "reauthenticate": "portero.console.codes.Reauthenticate",
    "login_webauthn": "portero.console.passkeys.Login",
    "authenticate_webauthn": "portero.console.passkeys.Authenticate",
    "reauthenticate_webauthn": "portero.console.passkeys.Reauthenticate",
    "add_webauthn": "portero.console.passkeys.Add",
}

# With this prefix a browser takes a cookie by https alone, and from no sibling of our name (B2.1).
PORTERO_COOKIE_PREFIX = "__Host-" if PORTERO_IS_PUBLIC else ""
SECURE_HSTS_SECONDS = 365 * 24 * 60 * 60 if PORTERO_IS_PUBLIC else 0
MESSAGE_STORAGE = "django.contrib.messages.storage.session.SessionStorage"
SESSION_ENGINE = "portero.domain.accounts.sessions"
SESSION_COOKIE_NAME = f"{PORTERO_COOKIE_PREFIX}portero_session"
SESSION_COOKIE_AGE = 12 * 60 * 60
SESSION_COOKIE_HTTPONLY = True
SESSION_COOKIE_SECURE = PORTERO_IS_PUBLIC
SESSION_COOKIE_SAMESITE = "Lax"
CSRF_COOKIE_NAME = f"{PORTERO_COOKIE_PREFIX}portero_csrf"
CSRF_COOKIE_HTTPONLY = True
CSRF_COOKIE_SECURE = PORTERO_IS_PUBLIC
CSRF_COOKIE_SAMESITE = "Lax"
CSRF_FAILURE_VIEW = "portero.console.views.csrf_failed"
SILENCED_SYSTEM_CHECKS = [
    "auth.W004",  # the address is unique whatever its case, by an index Django does not look at
]
