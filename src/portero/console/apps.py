from __future__ import annotations

from django.apps import AppConfig
from typing_extensions import override


class Console(AppConfig):
    name = "portero.console"

    @override
    def ready(self) -> None:
        from portero.console import log_lines

        log_lines.keep_links_out()
