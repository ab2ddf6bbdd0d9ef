"""How the console looks and speaks to one person, wherever they sign in."""

from __future__ import annotations

from collections.abc import Callable

from django import forms
from django.conf import settings
from django.http import HttpRequest, HttpResponse
from django.http.response import HttpResponseBase
from django.shortcuts import render
from django.utils import translation
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from portero.console import visits
from portero.console.answers import done
from portero.console.forms import Form
from portero.domain.accounts import services as accounts
from portero.domain.accounts.models import Person

LANGUAGES = frozenset(code for code, _name in settings.LANGUAGES)


class OwnLanguage:
    """Answers whoever signed in in the language they chose; others, in their browser's."""

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponse]) -> None:
        self._get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponseBase:
        person = _person_of(request)
        if person is not None and person.language in LANGUAGES:
            translation.activate(person.language)
            request.LANGUAGE_CODE = person.language
        return self._get_response(request)


def theme(request: HttpRequest) -> str:
    """The theme of whoever asks; empty where it follows the system."""
    person = _person_of(request)
    return person.theme if person is not None and person.theme in accounts.THEMES else ""


def _person_of(request: HttpRequest) -> Person | None:
    """Whoever signed in; without a cookie there is no session to look for."""
    if settings.SESSION_COOKIE_NAME not in request.COOKIES or not hasattr(request, "user"):
        return None
    return request.user if request.user.is_authenticated else None


class PreferencesForm(Form):
    language = forms.ChoiceField(
        label=gettext_lazy("Language"),
        required=False,
        widget=forms.RadioSelect,
        choices=[("", gettext_lazy("As my browser says")), *settings.LANGUAGES],
    )
    theme = forms.ChoiceField(
        label=gettext_lazy("Appearance"),
        required=False,
        widget=forms.RadioSelect,
        choices=[
            ("", gettext_lazy("As my system is")),
            ("light", gettext_lazy("Light")),
            ("dark", gettext_lazy("Dark")),
        ],
    )


def preferences(request: HttpRequest) -> HttpResponse:
    person = visits.person(request)
    kept = {"language": person.language, "theme": person.theme}
    form = PreferencesForm(request.POST or None, initial=kept)
    if request.method == "POST" and form.is_valid():
        chosen = form.cleaned_data
        accounts.prefer(person=person.id, languages=LANGUAGES, **chosen)
        with translation.override(chosen["language"] or translation.get_language()):
            return done(request, _("Saved."), "console:preferences")
    return render(request, "console/preferences.html", {"form": form})
