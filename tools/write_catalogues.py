"""Compile the console's translations: each django.po into the django.mo beside it."""

from __future__ import annotations

from pathlib import Path

from babel.messages.mofile import write_mo
from babel.messages.pofile import read_po

LOCALES = Path(__file__).parents[1] / "src/portero/console/locale"


def main() -> None:
    for source in sorted(LOCALES.glob("*/LC_MESSAGES/django.po")):
        with source.open("rb") as written, source.with_suffix(".mo").open("wb") as compiled:
            write_mo(compiled, read_po(written, locale=source.parents[1].name))


if __name__ == "__main__":
    main()
