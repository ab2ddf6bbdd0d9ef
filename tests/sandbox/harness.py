"""An emulator seen from outside: its world, its clock, and the subscriber of its webhooks."""

import hashlib
import hmac
import json
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import httpx

TOKEN = "test-token"
SECRET = "test-secret"
APP, BUSINESS = "100000000000010", "100000000000020"
WABA, NUMBER, OTHER_NUMBER = "100000000000100", "100000000000101", "100000000000102"
FOREIGN_WABA, FOREIGN_NUMBER = "100000000000300", "100000000000301"
CLIENT_WABA, CLIENT, PERSON = "100000000000400", "100000000000040", "100000000000031"
CUSTOMER = "34600111222"

WORLD: dict[str, Any] = {
    "app": {"app_id": APP, "app_secret": SECRET, "verify_token": "verify-me", "name": "Test App"},
    "business": {"id": BUSINESS, "name": "Test Business"},
    "tokens": [
        {"token": TOKEN, "user_id": "100000000000030", "name": "Bot"},
        {"token": "expired", "expires_at": 1_700_000_000},
        {"token": "sender", "scopes": ["whatsapp_business_messaging"]},
        {"token": "manager", "scopes": ["whatsapp_business_management"]},
        {"token": "one-account", "wabas": [WABA]},
    ],
    "wabas": [
        {
            "id": WABA,
            "name": "Test Account",
            "currency": "MXN",
            "country": "MX",
            "numbers": [
                {
                    "id": NUMBER,
                    "display_phone_number": "+52 55 5010 0101",
                    "verified_name": "Ventas",
                    "country": "MX",
                },
                {
                    "id": OTHER_NUMBER,
                    "display_phone_number": "+52 55 5010 0102",
                    "verified_name": "Soporte",
                    "country": "MX",
                    "pin": "123456",
                    "is_official_business_account": True,
                },
            ],
            "templates": [
                {"id": "201", "name": "plain", "language": "es_MX", "category": "UTILITY"},
                {
                    "id": "202",
                    "name": "order",
                    "language": "es_MX",
                    "category": "UTILITY",
                    "components": [
                        {
                            "type": "HEADER",
                            "format": "IMAGE",
                            "example": {"header_handle": ["4::aW"]},
                        },
                        {
                            "type": "BODY",
                            "text": "Hola {{1}}, tu pedido {{2}} va en camino.",
                            "example": {"body_text": [["Ana", "X1"]]},
                        },
                        {
                            "type": "BUTTONS",
                            "buttons": [
                                {"type": "QUICK_REPLY", "text": "Gracias"},
                                {
                                    "type": "URL",
                                    "text": "Ver",
                                    "url": "https://x.test/{{1}}",
                                    "example": ["X1"],
                                },
                            ],
                        },
                    ],
                },
                {
                    "id": "203",
                    "name": "named",
                    "language": "es_MX",
                    "category": "UTILITY",
                    "parameter_format": "NAMED",
                    "components": [
                        {
                            "type": "BODY",
                            "text": "Hola {{nombre}}, gracias.",
                            "example": {
                                "body_text_named_params": [
                                    {"param_name": "nombre", "example": "Ana"}
                                ]
                            },
                        }
                    ],
                },
                {"id": "204", "name": "promo", "language": "es_MX", "category": "MARKETING"},
                {
                    "id": "205",
                    "name": "paused",
                    "language": "es_MX",
                    "category": "MARKETING",
                    "status": "PAUSED",
                },
                {
                    "id": "206",
                    "name": "disabled",
                    "language": "es_MX",
                    "category": "UTILITY",
                    "status": "DISABLED",
                },
                {
                    "id": "207",
                    "name": "rejected",
                    "language": "es_MX",
                    "category": "UTILITY",
                    "status": "REJECTED",
                },
            ],
        },
        {
            "id": FOREIGN_WABA,
            "name": "Another Account",
            "numbers": [{"id": FOREIGN_NUMBER, "display_phone_number": "+1 555 010 0301"}],
        },
        {"id": CLIENT_WABA, "name": "A Client", "owner": {"id": CLIENT, "name": "Client SA"}},
    ],
    "people": [{"id": PERSON, "name": "Ana", "email": "ana@tienda.test", "role": "ADMIN"}],
    "windows": [{"number": NUMBER, "customer": CUSTOMER}],
    "unreachable": ["34600111999"],
    "opted_out": ["34600999888"],
    "speed": {"retry_ms": [20, 40]},
}


class MovableClock:
    """The time of day, moved forward at will."""

    def __init__(self) -> None:
        self.ahead_s = 0.0
        self._frozen_at: float | None = None

    def __call__(self) -> float:
        return (self._frozen_at or time.time()) + self.ahead_s

    def freeze(self) -> None:
        self._frozen_at = time.time()

    def run(self) -> None:
        """The present again, running."""
        self.ahead_s, self._frozen_at = 0.0, None


@dataclass
class Subscriber:
    """What arrived at the webhook address, each signature checked over the raw bytes."""

    url: str = ""
    received: list[dict[str, Any]] = field(default_factory=list)
    changed: threading.Condition = field(default_factory=threading.Condition)
    answers: list[int] = field(default_factory=list)
    challenges_refused: bool = False
    slow_s: float = 0.0
    begun: int = 0

    def clear(self) -> None:
        with self.changed:
            self.received.clear()
            self.answers.clear()
            self.challenges_refused = False
            self.slow_s, self.begun = 0.0, 0

    def take(self, path: str, raw: bytes, signature: str | None) -> int:
        expected = "sha256=" + hmac.new(SECRET.encode(), raw, hashlib.sha256).hexdigest()
        with self.changed:
            self.begun += 1
            self.changed.notify_all()
        time.sleep(self.slow_s)
        with self.changed:
            status = self.answers.pop(0) if self.answers else 200
            payload = json.loads(raw) | {"path": path, "signed": signature == expected}
            self.received.append(payload | {"raw": raw, "answer": status, "signature": signature})
            self.changed.notify_all()
            return status

    def wait(self, count: int, timeout_s: float = 3.0) -> list[dict[str, Any]]:
        """The first `count` payloads, or a failed test."""
        with self.changed:
            assert self.changed.wait_for(lambda: len(self.received) >= count, timeout_s), (
                f"{len(self.received)} of {count} webhooks arrived"
            )
            return list(self.received[:count])

    def wait_begun(self, count: int, timeout_s: float = 3.0) -> None:
        """Until `count` webhooks are on their way, arrived or not."""
        with self.changed:
            assert self.changed.wait_for(lambda: self.begun >= count, timeout_s)

    def values(self, count: int) -> list[dict[str, Any]]:
        """The `value` of each of the first `count` changes."""
        return [item["entry"][0]["changes"][0]["value"] for item in self.wait(count)]

    def statuses(self, count: int) -> list[dict[str, Any]]:
        return [value["statuses"][0] for value in self.values(count)]


@dataclass
class Running:
    """A running emulator, seen from outside."""

    url: str
    hooks: Subscriber
    clock: MovableClock
    http: httpx.Client

    def call(self, method: str, path: str, **options: Any) -> httpx.Response:
        """A call with the usual token, unless the headers say otherwise."""
        headers = {"Authorization": f"Bearer {TOKEN}"} | options.pop("headers", {})
        return self.http.request(method, path, headers=headers, **options)

    def get(self, path: str, **params: Any) -> Any:
        response = self.call("GET", path, params=params)
        assert response.status_code == 200, response.text
        return response.json()

    def post(self, path: str, body: Any = None, **params: Any) -> Any:
        response = self.call("POST", path, json=body, params=params)
        assert response.status_code == 200, response.text
        return response.json()

    def send(self, body: dict[str, Any], number: str = NUMBER) -> httpx.Response:
        """A message to the customer with the open window, unless the body says otherwise."""
        usual = {"messaging_product": "whatsapp", "to": CUSTOMER}
        return self.call("POST", f"/v23.0/{number}/messages", json=usual | body)

    def refusal(self, method: str, path: str, **options: Any) -> dict[str, Any]:
        """The error object of a call that fails."""
        response = self.call(method, path, **options)
        assert response.status_code >= 400, response.text
        error: dict[str, Any] = response.json()["error"]
        return error | {"http": response.status_code}

    def control(self, name: str, body: Any = None, method: str = "POST") -> Any:
        response = self.http.request(method, f"/_sandbox/{name}", json=body)
        assert response.status_code == 200, response.text
        return response.json()

    def ledger(self) -> list[dict[str, Any]]:
        entries: list[dict[str, Any]] = self.control("ledger", method="GET")["requests"]
        return entries


Start = Callable[..., Running]
