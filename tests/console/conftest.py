import django_ready  # noqa: F401 - before any model, allauth's too
from portero.console import urls  # noqa: F401 - with which every route declares its doors
