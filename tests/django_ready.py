"""Importing this makes Django ready, which it must be before any model is imported."""

import os

import django

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "portero.project.settings")
django.setup()
