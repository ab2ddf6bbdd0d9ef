"""Django's settings. No secret has a default here.

Without a configuration the key and the database stay empty, and Django refuses to use either.
Processes start through `Configuration.from_environment`, which says what is missing.
"""

from __future__ import annotations

from typing import Any

from portero.project.configuration import (
    Configuration,
    ConfigurationError,
    database_settings,
)

try:
    _configuration = Configuration.from_environment()
except ConfigurationError:
    SECRET_KEY = ""
    ALLOWED_HOSTS: list[str] = []
    DATABASES: dict[str, Any] = {}
else:
    SECRET_KEY = _configuration.secret_key.reveal().decode()
    # Whoever keeps the console running asks it by the address it listens on.
    ALLOWED_HOSTS = [
        *_configuration.hosts,
        "localhost",
        _configuration.console_listen.host_in_url,
    ]
    PORTERO_KEK = _configuration.kek
    PORTERO_PEPPER = _configuration.pepper
    PORTERO_GRAPH_URL = _configuration.graph_url
    PORTERO_PUBLIC_URL = _configuration.public_url or _configuration.gateway_listen.url
    PORTERO_CONSOLE_WORKSPACE = _configuration.console_workspace
    DATABASES = {"default": database_settings(_configuration.dsn("app"))}

DEBUG = False
INSTALLED_APPS = [
    "portero.domain.audit",
    "portero.domain.access",
    "portero.domain.accounts",
    "portero.domain.workspaces",
    "portero.domain.messaging",
    "portero.domain.webhooks",
    "portero.console",
]
MIDDLEWARE = [
    "portero.console.guarding.OnlyThisMachine",
    "portero.console.guarding.StrictHeaders",
    "django.middleware.security.SecurityMiddleware",
    "django.middleware.clickjacking.XFrameOptionsMiddleware",
    "django.middleware.locale.LocaleMiddleware",
    "django.middleware.common.CommonMiddleware",
]
ROOT_URLCONF = "portero.project.urls"
WSGI_APPLICATION = "portero.project.wsgi.application"
TEMPLATES = [
    {
        "BACKEND": "django.template.backends.django.DjangoTemplates",
        "APP_DIRS": True,
        "OPTIONS": {"context_processors": []},
    }
]
SECURE_REFERRER_POLICY = "no-referrer"

USE_TZ = True
TIME_ZONE = "UTC"
USE_I18N = True
LANGUAGE_CODE = "en"
LANGUAGES = [("es", "Español"), ("en", "English")]
