"""Tienda Andina as Meta would know it: accounts, numbers, templates, customers.

Made by a seeded generator, never copied from anybody; only the secrets are random, per data folder.
The result is a world file of the sandbox, and the workspace is made from the same facts.
"""

from __future__ import annotations

import random
import secrets
from collections.abc import Iterator
from typing import Any

APP = "118273645500001"
BUSINESS = "118273645500002"
WABA = "118273645500010"
VENTAS = "118273645500011"
SOPORTE = "118273645500012"
LUCIA = "525512345678"
PEDRO = "34600111222"
CUSTOMERS = 320
WORLD_FILE = "world.json"
"""In the data folder: what the sandbox plays."""
DEMO_FILE = "demo.json"
"""In the data folder, mode 0600: ids and keys, the only place that has the keys in clear."""
VERIFY_PATH = "/webhooks/whatsapp"

_SEED = 20_260
# Country, how often, and how a mobile number there begins; # stands for any digit.
_COUNTRIES = (
    ("MX", 45, "52{area}########"),
    ("CO", 12, "573#########"),
    ("PE", 10, "519########"),
    ("CL", 8, "569########"),
    ("AR", 8, "54911########"),
    ("ES", 7, "346########"),
    ("BR", 6, "55119########"),
    ("US", 4, "120255501##"),
)
_MEXICAN_AREAS = ("55", "33", "81")
_FIRST_NAMES = (
    "Alejandra", "Andrés", "Camila", "Daniel", "Esteban", "Fernanda", "Gael", "Irene", "Javier",
    "Lorena", "Mateo", "Natalia", "Óscar", "Paola", "Rodrigo", "Sofía", "Tomás", "Valentina",
)  # fmt: skip
_LAST_NAMES = (
    "Álvarez", "Benítez", "Castro", "Domínguez", "Espinoza", "Flores", "Gutiérrez", "Herrera",
    "Ibarra", "Luna", "Morales", "Ortega", "Paredes", "Quiroga", "Ríos", "Salazar", "Torres",
)  # fmt: skip


def new_world() -> dict[str, Any]:
    """A world file with fresh secrets; `placed` adds the addresses of one run."""
    return {
        "app": {
            "app_id": APP,
            "app_secret": secrets.token_hex(16),
            "verify_token": secrets.token_urlsafe(18),
            "name": "Tienda Andina",
        },
        "business": {"id": BUSINESS, "name": "Tienda Andina"},
        "tokens": [{"token": f"EAA{secrets.token_hex(60)}", "wabas": [WABA]}],
        "wabas": [_account()],
        "windows": [
            {"number": number, "customer": customer}
            for number in (VENTAS, SOPORTE)
            for customer in (LUCIA, PEDRO)
        ],
        "customers": [
            {"phone": LUCIA, "name": "Lucía Ramírez"},
            {"phone": PEDRO, "name": "Pedro Sanz"},
            *customers(),
        ],
        "speed": {"sent_ms": 100, "delivered_ms": 400, "read_ms": 2_000, "review_ms": 1_000},
        # Trying things quickly on one customer is what a demo is for.
        "limits": {"pair": False},
    }


def placed(world: dict[str, Any], *, gateway_url: str, sandbox_url: str) -> dict[str, Any]:
    """The world of a run whose gateway and sandbox have these addresses."""
    callback = {"url": gateway_url + VERIFY_PATH}
    return {**world, "callback": callback, "public_url": sandbox_url}


def customers() -> Iterator[dict[str, str]]:
    """The same few hundred customers every time."""
    chance = random.Random(_SEED)  # noqa: S311 - a repeatable demo, not a secret
    patterns = [pattern for _, weight, pattern in _COUNTRIES for _ in range(weight)]
    known = {LUCIA, PEDRO}
    while len(known) < CUSTOMERS:
        pattern = chance.choice(patterns).format(area=chance.choice(_MEXICAN_AREAS))
        phone = "".join(str(chance.randrange(10)) if c == "#" else c for c in pattern)
        name = f"{chance.choice(_FIRST_NAMES)} {chance.choice(_LAST_NAMES)}"
        if phone not in known:
            known.add(phone)
            yield {"phone": phone, "name": name}


def _account() -> dict[str, Any]:
    return {
        "id": WABA,
        "name": "Tienda Andina",
        "currency": "MXN",
        "country": "MX",
        "subscribed": True,
        "numbers": [
            _number(VENTAS, "+52 55 5000 0101", "Ventas"),
            _number(SOPORTE, "+52 55 5000 0102", "Soporte"),
        ],
        "templates": [
            _template(1, "order_update", "es_MX", "UTILITY", "Tu pedido va en camino."),
            _template(2, "hello_world", "en_US", "UTILITY", "Welcome to Tienda Andina."),
            _template(3, "oferta_de_invierno", "es_MX", "MARKETING", "20 % en ponchos, hoy."),
            _template(
                4, "aviso_de_retraso", "es_MX", "UTILITY", "Llegará un día después.", "PAUSED"
            ),
            _template(5, "todo_gratis", "es_MX", "MARKETING", "TODO GRATIS HOY", "REJECTED"),
        ],
    }


def _number(meta_id: str, display: str, name: str) -> dict[str, Any]:
    return {
        "id": meta_id,
        "display_phone_number": display,
        "verified_name": name,
        "country": "MX",
        "throughput": "HIGH",
    }


def _template(
    place: int, name: str, language: str, category: str, text: str, status: str = "APPROVED"
) -> dict[str, Any]:
    template = {
        "id": f"1182736455001{place:02}",
        "name": name,
        "language": language,
        "category": category,
        "status": status,
        "components": [{"type": "BODY", "text": text}],
    }
    return template | ({"rejected_reason": "SCAM"} if status == "REJECTED" else {})
