"""Every sentence of a template, and every word of the engine's that a page shows, stands in every
language, and what is shipped is what was written."""

from __future__ import annotations

import gettext
import re
from collections import defaultdict
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest
from babel.messages.extract import extract
from babel.messages.mofile import write_mo
from babel.messages.pofile import read_po
from django.conf import settings
from django.contrib.auth.password_validation import get_default_password_validators
from django.core.exceptions import ValidationError
from django.forms import BaseForm
from django.template.loader import get_template
from django.utils.functional import Promise
from django.utils.translation import override, to_locale
from django.utils.translation.template import templatize

import portero.console
import portero.console.urls  # by which every form is imported
from portero.console import labels
from portero.console.signing_in import Accounts
from portero.console.words import SPANISH
from portero.domain.access.services import READY_MADE
from portero.domain.access.services.builtin_roles import BUILTIN_ROLES
from portero.domain.accounts.models import Person
from portero.engine.catalogue import ENTRIES, PERMISSIONS, Risk
from portero.engine.policy import Reach

CONSOLE = Path(portero.console.__path__[0])
LANGUAGES = tuple(to_locale(code) for code, _ in settings.LANGUAGES if code != "en")
_CALL = re.compile(r"""\b(?:gettext|_)\((?:u?'((?:[^'\\]|\\.)*)'|u?"((?:[^"\\]|\\.)*)")\)""")
_PLURALS = dict.fromkeys(("ngettext", "ngettext_lazy"), (1, 2))
_CALLS = dict.fromkeys(("_", "gettext", "gettext_lazy")) | _PLURALS
_PLURAL = re.compile(r"""ngettext\(u?'((?:[^'\\]|\\.)*)',\s*u?'((?:[^'\\]|\\.)*)'""")


_ERRORS = (
    "account_inactive",
    "email_password_mismatch",
    "rate_limited",
    "too_many_login_attempts",
)
_WAYS_AND_KEYS = {
    "Use your password",
    "Use authenticator app or code",
    "Use a security key",
    "Master key",
    "Backup key",
}


def names() -> set[str]:
    """What no template says: the engine's own words, those of a context as a catalogue keeps them."""
    found = {text for spec in PERMISSIONS.values() for text in (spec.sentence, spec.group)}
    found |= {spec.sentence for spec in ENTRIES.values()}
    found |= {f"reach\x04{word}" for word in labels.REACHES.values()}
    found |= {f"risk\x04{word}" for word in labels.RISKS.values()}
    found |= {text for one in READY_MADE.values() for text in (one.name, one.sentence)}
    return found | set(BUILTIN_ROLES)


def borrowed() -> set[str]:
    """What allauth and Django say on our pages and we say in another voice."""
    with override("en"):
        errors = {str(Accounts.error_messages[name]) for name in _ERRORS}
        fields = {_as_written(text) for text in of_fields()}
    return errors | fields | _WAYS_AND_KEYS


def of_fields() -> Iterator[Any]:
    """What the fields of every form of the console's and of allauth's say of a mistake."""
    for form in _forms(BaseForm):
        for field in getattr(form, "base_fields", {}).values():
            yield from field.error_messages.values()
            yield from (one.message for one in field.validators if hasattr(one, "message"))


def _forms(above: type) -> Iterator[type]:
    for form in above.__subclasses__():
        if form.__module__.startswith(("portero.", "allauth.")):
            yield form
        yield from _forms(form)


def _as_written(text: Any) -> str:
    """The singular of what is said with a number, as a catalogue knows it."""
    how, made_of = text.__reduce__()[:2] if isinstance(text, Promise) else (None, ())
    is_counted = getattr(how, "__name__", "") == "_lazy_number_unpickle"
    return str(made_of[-1]["singular"] if is_counted else text)


def sentences() -> set[str]:
    """Of the templates, and of modules that speak to people."""
    found = set()
    for file in CONSOLE.rglob("*.py"):
        with file.open("rb") as code:
            for _line, message, _comments, _context in extract("python", code, keywords=_CALLS):
                found.add(message if isinstance(message, str) else message[0])
    for file in CONSOLE.rglob("templates/**/*.*"):
        code = templatize(file.read_text(), origin=str(file))
        for one, other in _CALL.findall(code):
            found.add((one or other).replace("\\'", "'").replace('\\"', '"'))
        found |= {singular for singular, _ in _PLURAL.findall(code)}
    return {one for one in found if one}


def test_the_templates_have_sentences() -> None:
    assert len(sentences()) > 50


@pytest.mark.parametrize("language", LANGUAGES)
def test_every_sentence_is_translated(language: str) -> None:
    with (CONSOLE / "locale" / language / "LC_MESSAGES/django.mo").open("rb") as file:
        catalogue = gettext.GNUTranslations(file)._catalog  # type: ignore[attr-defined]
    known = {key[0] if isinstance(key, tuple) else key for key in catalogue}

    said = sentences() | names() | borrowed()
    assert said - known == set()
    assert known - said - {""} == set()  # nothing that nobody says any more


@pytest.mark.parametrize("language", LANGUAGES)
def test_a_translation_keeps_what_is_filled_in(language: str) -> None:
    folder = CONSOLE / "locale" / language / "LC_MESSAGES"
    with (folder / "django.po").open("rb") as file:
        catalogue = read_po(file, locale=language)

    faults = {str(one.id): errors for one in catalogue if (errors := list(one.check(catalogue)))}
    assert faults == {}


# Whom a sentence speaks to, when it begins by telling somebody what to do, or at all.
_FORMAL = (
    "Abra|Agregue|Asegúrese|Borre|Busque|Cambie|Cierre|Compruebe|Confirme|Elija|Envíe|Escoja"
    "|Escriba|Espere|Guarde|Haga|Indique|Ingrese|Inicie|Inténtelo|Intente|Introduzca|Marque"
    "|Pida|Pruebe|Revise|Seleccione|Use|Utilice|Verifique|Vuelva"
)
_USTED = re.compile(rf"\b[Uu]sted(es)?\b|(?:^|[.!?:;] )(?:Por favor,? )?[¡¿]?(?:{_FORMAL})\b")


def test_spanish_says_tu_in_what_we_wrote() -> None:
    with (CONSOLE / "locale/es/LC_MESSAGES/django.po").open("rb") as file:
        catalogue = read_po(file, locale="es")
    said = [
        text
        for one in catalogue
        for text in (one.string if isinstance(one.string, tuple) else (one.string,))
    ]

    assert len(said) > 900
    assert [text for text in [*said, *SPANISH.reasons.values()] if _USTED.search(text)] == []


def test_spanish_says_tu_in_what_a_library_says_on_our_pages() -> None:
    """There `su` is the reader's: a field and a password are nobody else's."""
    numbers: Mapping[str, int] = defaultdict(lambda: 2)
    with override("es"):
        said = {str(text % numbers) for text in of_fields()}
        said |= {str(Accounts.error_messages[name]) for name in _ERRORS}
        said |= {str(message) for message in _of_passwords()}
        said |= {get_template(name).render({}).strip() for name in _NOTICES}

    assert len(said) > 30
    assert [
        text for text in said if _USTED.search(text) or re.search(r"\bsus?\b", text, re.I)
    ] == []


_NOTICES = [
    f"mfa/messages/{name}.txt"
    for name in (
        "recovery_codes_generated",
        "totp_activated",
        "totp_deactivated",
        "webauthn_added",
        "webauthn_removed",
    )
]


def _of_passwords() -> Iterator[str]:
    person = Person(email="ana.quispe@example.com", name="Ana")
    for password in ("short", "password", "1234567890123456", "ana.quispe@example.com"):
        for validator in get_default_password_validators():
            try:
                validator.validate(password, person)
            except ValidationError as error:
                yield from error.messages


def test_every_reach_and_every_risk_has_a_word() -> None:
    assert set(labels.REACHES) == set(Reach)
    assert set(labels.RISKS) == set(Risk)


@pytest.mark.parametrize(
    ("language", "words"),
    [
        ("es", ["No", "Propio", "Mi cola", "Equipo", "Todo"]),
        ("pt-br", ["Não", "Próprio", "Minha fila", "Equipe", "Tudo"]),
        ("en", ["No", "Own", "My queue", "Team", "All"]),
    ],
)
def test_a_reach_is_said_in_the_pages_language(language: str, words: list[str]) -> None:
    with override(language):
        assert [labels.of_reach(reach) for reach in Reach] == words


def test_a_risk_is_said_in_the_pages_language() -> None:
    with override("pt-br"):
        assert labels.of_risk(Risk.CRITICAL) == "Crítica"


@pytest.mark.parametrize("language", LANGUAGES)
def test_what_is_shipped_is_what_was_written(language: str, tmp_path: Path) -> None:
    folder = CONSOLE / "locale" / language / "LC_MESSAGES"
    with (folder / "django.po").open("rb") as file, (tmp_path / "made.mo").open("wb") as made:
        write_mo(made, read_po(file, locale=language))

    def read(path: Path) -> dict[object, str]:
        with path.open("rb") as file:
            found: dict[object, str] = gettext.GNUTranslations(file)._catalog  # type: ignore[attr-defined]
        return {key: text for key, text in found.items() if key}

    assert read(folder / "django.mo") == read(tmp_path / "made.mo")


@pytest.mark.parametrize(
    ("language", "says"),
    [("es", "Esta cuenta está desactivada."), ("pt-br", "Esta conta está desativada.")],
)
def test_our_voice_is_heard_and_not_that_of_a_library(language: str, says: str) -> None:
    with override(language):
        assert str(Accounts.error_messages["account_inactive"]) == says
