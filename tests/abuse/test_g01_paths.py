"""G01, G02, G30: one plain spelling of a path, and what Meta is asked is built from its parts."""

from __future__ import annotations

import random
from itertools import product

import pytest

from abuse.door import Answer, Door
from abuse.watch import Watch
from gateway.house import LUCIA, SOPORTE, VENTAS, WABA, House, Key, text
from portero.graphapi import parse as parsing
from portero.graphapi import paths

PLAIN = f"/v23.0/{VENTAS}/messages"
TEXT = text()

# What is put between, before, behind or instead of the segments of a good path.
_ODD = (
    "..", ".", "...", "%2e", "%2e%2e", "%2E%2E", ".%2e", "%2e.", "%252e%252e", "%c0%ae%c0%ae",
    "%2f", "%2F", "%252f", "%c0%af", "%5c", "%5C", "\\", "..\\", "%255c", ";", ";x", ";v=1", "..;",
    "%3b", "%00", "%0d%0a", "%0a", "%09", "%20", "%7f", "%80", "%ff", "%", "%2", "%zz", "%u002f",
    "*", "~", "@", "$", "!", "'", "(", ")", ",", "+", "&", "|", "^", "`", "{", "}", "[", "]", "<",
    ">", '"', "#", "%23", "%2523", "%3f", "%253f", "%26", "%3d",
    "%ef%bc%8f", "%e2%81%84", "%e2%88%95",
)  # fmt: skip
_RAW = (b"\xc0\xae", b"\xef\xbc\x8f", b"\xe2\x80\xae", b"\x80", b"\xff", "é".encode())

_PLACES = (
    "/v23.0/{odd}/messages",
    f"/v23.0/{VENTAS}/{{odd}}/messages",
    f"/v23.0/{VENTAS}{{odd}}/messages",
    f"/v23.0/{VENTAS}/messages{{odd}}",
    f"/{{odd}}/v23.0/{VENTAS}/messages",
    f"/v23.0{{odd}}/{VENTAS}/messages",
)

# Spellings that somebody's normaliser would make into a good path, and some that nobody's would.
_WHOLE = (
    f"//{VENTAS}/messages", f"/v23.0//{VENTAS}/messages", f"/v23.0/{VENTAS}//messages",
    f"{PLAIN}//", f"///{VENTAS}/messages", f"//v23.0/{VENTAS}/messages",
    f"/v23.0/{SOPORTE}/../{VENTAS}/messages", f"/v23.0/x/../{VENTAS}/messages",
    f"/v23.0/%31{VENTAS[1:]}/messages", f"/v23.0/{VENTAS}/mess%61ges", f"/%7623.0/{VENTAS}/messages",
    f"/v23.0/{VENTAS}%2Fmessages", f"/v23.0%2f{VENTAS}/messages", f"/v23.0/{VENTAS}/messages%2f",
    f"/v23.0/{VENTAS}./messages", f"/v23.0/{VENTAS}/messages.", f"/v23.0/{VENTAS}/messages.json",
    f"/v23.0/.{VENTAS}/messages", f"/v23.0/-{VENTAS}/messages", f"/v23.0/0{VENTAS}/messages",
    f"/v23.0/{VENTAS}:80/messages", f"/v23.0/{VENTAS}=/messages", f"/v23.0/{VENTAS}_/messages",
    f"/v23.0/{VENTAS}/MESSAGES", f"/v23.0/{VENTAS}/Messages", f"/v23.0/{VENTAS}/messages/messages",
    f"/v23.0/{VENTAS},{SOPORTE}/messages", f"/v23.0/{VENTAS}/{SOPORTE}/messages",
    f"/v23.0/{VENTAS}/{WABA}", f"/v23.0/{WABA}/{VENTAS}/messages",
    f"/{PLAIN}", f"/{VENTAS}/v23.0/messages", f"/v23.0/v23.0/{VENTAS}/messages",
    f"/v23.0/v24.0/{VENTAS}/messages", f"/v23.0/{VENTAS}/v23.0/messages",
    f"/v23.0/{VENTAS}/messages/v23.0", f"/V23.0/{VENTAS}/messages", f"/v23/{VENTAS}/messages",
    f"/v23.0.0/{VENTAS}/messages", f"/v23.0000/{VENTAS}/messages", f"/v2300.0/{VENTAS}/messages",
    f"/v-1.0/{VENTAS}/messages", f"/v23,0/{VENTAS}/messages", f"/latest/{VENTAS}/messages",
    f"/graph.facebook.com/v23.0/{VENTAS}/messages", f"/https://evil.test/{VENTAS}/messages",
    f"/v23.0/{VENTAS}/messages/" + "a" * 3000,
)  # fmt: skip


def corpus() -> list[bytes]:
    placed = [
        place.format(odd=odd).encode() for place, odd in product(_PLACES, _ODD) if "\\" not in place
    ]
    raw = [b"/v23.0/" + VENTAS.encode() + odd + b"/messages" for odd in _RAW]
    return [*placed, *raw, *(path.encode() for path in _WHOLE)]


def refused(answer: Answer) -> bool:
    return answer.status == 400 and answer.json["error"]["code"] == 100


def test_g01_no_odd_spelling_of_a_path_reaches_meta(
    door: Door, watch: Watch, everything: Key
) -> None:
    targets = corpus()
    assert len(targets) >= 200

    let_through = [
        target
        for target in targets
        if not refused(door.call("POST", target, key=everything, json=TEXT))
    ]

    assert let_through == []
    assert watch.ledger() == []


@pytest.mark.parametrize(
    "target",
    [
        f"/v23.0/{VENTAS}%3Faccess_token=x/messages",
        f"/v23.0/{VENTAS}/messages%3Fmethod=delete",
        f"/v23.0/{VENTAS}/messages%3fx",
        f"/v23.0/{VENTAS}%23/messages",
        f"/v23.0/{VENTAS}#/messages",
        f"/v23.0/{VENTAS}/messages#frag",
        f"/v23.0/{VENTAS}/messages%23?x=1",
        f"/v23.0/{VENTAS}/messages?a#b=1",
        f"/v23.0/{VENTAS}/messages??method=delete",
        f"/{VENTAS}%3Faccess_token=x",
    ],
)
def test_g02_a_path_neither_adds_a_query_nor_is_cut_short(
    door: Door, watch: Watch, everything: Key, target: str
) -> None:
    answer = door.call("POST", target, key=everything, json=TEXT)

    assert refused(answer), answer.body
    assert watch.ledger() == []


def test_g02_control_a_looser_path_rule_lets_an_escape_through(
    door: Door, watch: Watch, everything: Key, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(paths, "_SEGMENT", rb"[^/]+")
    monkeypatch.setattr(paths, "_PLAIN", paths.re.compile(rb"/.*", paths.re.DOTALL))
    monkeypatch.setattr(parsing, "_routed", parsing._routed.__wrapped__)  # nothing is remembered

    answers = [door.call("POST", t, key=everything, json=TEXT) for t in corpus()]

    # `//messages` and the like are read as the good path they are not.
    assert not all(refused(answer) for answer in answers)
    assert watch.ledger() != []


@pytest.mark.parametrize(
    "prefix", ["", "/v1.0", "/v9.99", "/v13.0", "/v14.0", "/v23.0", "/v26.0", "/v99.0", "/v999.0"]
)
@pytest.mark.parametrize("suffix", ["", "/"])
def test_g30_every_version_is_decided_alike_and_sent_as_ours(
    door: Door, house: House, watch: Watch, prefix: str, suffix: str
) -> None:
    sender = house.workspace.key({"send:text": "all"}, scope={"numbers": [VENTAS]})

    sent = door.call("POST", f"{prefix}/{VENTAS}/messages{suffix}", key=sender, json=TEXT)
    kept = door.call("POST", f"{prefix}/{SOPORTE}/messages{suffix}", key=sender, json=TEXT)

    assert sent.status == 200
    assert kept.verdict == (403, 10, None, "outside_scope")
    [arrived] = watch.ledger()
    assert arrived["path"] == f"/{house.settings.graph_version}/{VENTAS}/messages"
    assert {r["operation"] for r in watch.records()} == {"send_message"}


@pytest.mark.parametrize("prefix", ["", "/v23.0", "/v99.0"])
@pytest.mark.parametrize("action", ["archive", "unarchive"])
def test_g30_the_unversioned_host_is_asked_the_same_whatever_version_is_written(
    door: Door, house: House, watch: Watch, prefix: str, action: str
) -> None:
    archivist = house.workspace.key({"template:archive": "all"})
    stranger = house.workspace.key({"template:read": "all"})
    target, body = f"{prefix}/{WABA}/message_templates/{action}", {"hsm_ids": ["100000000000201"]}

    done = door.call("POST", target, key=archivist, json=body)
    kept = door.call("POST", target, key=stranger, json=body)

    assert done.status == 200, done.body
    assert kept.verdict == (403, 200, None, "permission_missing")
    [arrived] = watch.ledger()
    assert arrived["path"] == f"/{WABA}/message_templates/{action}"


def test_g30_random_paths_reach_meta_only_as_one_of_the_table(
    door: Door, watch: Watch, everything: Key, dice: random.Random
) -> None:
    pieces = ["v23.0", "v99.0", VENTAS, WABA, "me", "messages", "phone_numbers", "", ".", "..",
              "access_token", "debug_token", "settings", "%2e", "media", LUCIA, "x"]  # fmt: skip
    for _ in range(150):
        segments = dice.choices(pieces, k=dice.randint(1, 5))
        door.call(dice.choice(["GET", "POST"]), "/" + "/".join(segments), key=everything)

    for arrived in watch.ledger():
        _, version, *segments = arrived["path"].split("/")
        assert version == watch.house.settings.graph_version
        assert segments[0] in {VENTAS, WABA}
        assert all(segment not in {"", ".", "..", "v23.0", "v99.0"} for segment in segments[1:])
