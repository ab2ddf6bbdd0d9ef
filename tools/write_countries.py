"""Write what countries are called in the console's languages, from Unicode's CLDR as babel brings it."""

import json
from pathlib import Path

from babel import Locale
from phonenumbers import SUPPORTED_REGIONS

PLACE = Path(__file__).parent.parent / "src" / "portero" / "console" / "country_names.json"
LANGUAGES = ("en", "es", "pt_BR")


def names() -> dict[str, list[str]]:
    """By the two letters: every name it has, without the commas that stand between countries."""
    known = [Locale.parse(one).territories for one in LANGUAGES]
    return {
        code: sorted({one[code].replace(",", "") for one in known})
        for code in sorted(SUPPORTED_REGIONS)
    }


if __name__ == "__main__":
    lines = (
        f"  {json.dumps(code)}: {json.dumps(said, ensure_ascii=False)}"
        for code, said in names().items()
    )
    PLACE.write_text("{\n" + ",\n".join(lines) + "\n}\n", encoding="utf-8")
