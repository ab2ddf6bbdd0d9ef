import django_ready  # noqa: F401 - before any model, allauth's too
