"""The page has words for everything that a record can say."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from django.conf import settings

from portero.console.words import BY_CODE, ENGLISH, Words
from portero.graphapi.refusals import REASONS

PAGE = (Path(__file__).parents[2] / "docs" / "events.md").read_text()
EVENTS = set(re.findall(r"^\| `([a-z_]+\.[a-z_]+)` \|", PAGE, re.MULTILINE))


def test_the_page_speaks_every_language_of_the_console() -> None:
    assert set(BY_CODE) == {code for code, _ in settings.LANGUAGES}


@pytest.mark.parametrize("words", BY_CODE.values(), ids=lambda words: words.code)
class TestEachLanguage:
    def test_every_event_has_words_and_nothing_else_does(self, words: Words) -> None:
        assert set(words.events) == EVENTS

    def test_every_reason_of_the_gateway_has_a_sentence(self, words: Words) -> None:
        assert REASONS - set(words.reasons) == set()
        assert all(sentence.endswith(".") for sentence in words.reasons.values())

    def test_what_was_wanted_is_not_told_as_done(self, words: Words) -> None:
        wanted = words.generic[1].split()[0]

        assert all(want.startswith(f"{wanted} ") for _, want in words.events.values())
        assert not any(did.startswith(f"{wanted} ") for did, _ in words.events.values())

    def test_a_recipient_is_read_out_as_one_phrase(self, words: Words) -> None:
        assert f"{words.to} {words.recipient}" in {
            "a un número que termina en",
            "para um número que termina em",
            "to a number ending in",
        }

    def test_it_knows_the_reasons_and_contents_that_english_knows(self, words: Words) -> None:
        assert set(words.reasons) == set(ENGLISH.reasons)
        assert set(words.content) == set(ENGLISH.content)
