from __future__ import annotations

from portero.console.urls import urlpatterns

handler400 = "portero.console.views.unreadable"
handler500 = "portero.console.views.failed"

__all__ = ["handler400", "handler500", "urlpatterns"]
