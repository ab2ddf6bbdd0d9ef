from __future__ import annotations

from django.apps import AppConfig
from typing_extensions import override


class Notices(AppConfig):
    name = "portero.domain.notices"
    label = "notices"

    @override
    def ready(self) -> None:
        from portero.domain.notices import services

        services.listen()
