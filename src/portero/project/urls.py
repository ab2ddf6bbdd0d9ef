from __future__ import annotations

from portero.console.urls import urlpatterns

handler500 = "portero.console.views.failed"

__all__ = ["handler500", "urlpatterns"]
