from __future__ import annotations

from portero.console.urls import urlpatterns

handler400 = "portero.console.views.unreadable"
handler404 = "portero.console.views.absent"
handler500 = "portero.console.views.failed"

__all__ = ["handler400", "handler404", "handler500", "urlpatterns"]
