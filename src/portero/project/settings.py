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
    ALLOWED_HOSTS = list(_configuration.hosts)
    PORTERO_KEK = _configuration.kek
    PORTERO_PEPPER = _configuration.pepper
    DATABASES = {"default": database_settings(_configuration.dsn("app"))}

DEBUG = False
INSTALLED_APPS = [
    "portero.domain.audit",
    "portero.domain.access",
    "portero.domain.accounts",
    "portero.domain.workspaces",
    "portero.domain.messaging",
    "portero.domain.webhooks",
]

USE_TZ = True
TIME_ZONE = "UTC"
LANGUAGE_CODE = "en"
