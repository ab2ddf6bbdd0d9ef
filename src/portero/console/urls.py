from __future__ import annotations

from django.urls import path

from portero.console import views

app_name = "console"
urlpatterns = [
    path("", views.show_activity, name="activity"),
    path("-/health", views.health, name="health"),
    path("assets/<str:digest>/<str:name>", views.asset, name="asset"),
]
