"""Two workspaces by hand: one row in every table of each, so that a leak has something to leak."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import UTC, datetime
from typing import Any
from uuid import UUID, uuid5

A = UUID("0197a3a0-0000-7000-8000-00000000000a")
B = UUID("0197a3a0-0000-7000-8000-00000000000b")
NOW = datetime(2026, 11, 25, 12, tzinfo=UTC)


def id_of(workspace: UUID, name: str) -> UUID:
    """The id of a row: the same name has another id in another workspace."""
    return uuid5(workspace, name)


def furnish(workspace: UUID) -> Iterator[tuple[str, Mapping[str, Any]]]:
    """Table and row, in an order in which references exist."""

    def of(name: str) -> UUID:
        return id_of(workspace, name)

    here = {"workspace_id": workspace}
    ruled = {**here, "valid_from": 1}
    canary = f"canary-{workspace}"
    call = {**here, "call_id": of("call"), "kind": "event", "attempt": 1}
    yield "workspace", {"id": workspace, "name": canary}
    yield "person", {"id": of("person"), "email": f"{workspace}@example.com", "name": canary}
    yield "policy_head", {**here, "version": 1}
    for kind in ("person", "service_account", "team"):
        yield "principal", {**here, "id": of(kind), "kind": kind, "name": canary}
    yield "team_member", {**here, "team_id": of("team"), "principal_id": of("person")}
    yield "role", {**here, "id": of("role"), "name": canary}
    yield "role_version", {**ruled, "id": of("version"), "role_id": of("role"), "cells": {}}
    yield (
        "binding",
        {
            **ruled,
            "id": of("binding"),
            "principal_id": of("person"),
            "role_id": of("role"),
            "scope": {},
            "conditions": {},
            "reason": canary,
        },
    )
    yield (
        "guardrail",
        {**ruled, "id": of("guardrail"), "name": canary, "kind": "deny", "body": {}},
    )
    yield (
        "access_request",
        {
            **here,
            "id": of("request"),
            "principal_id": of("person"),
            "role_id": of("role"),
            "scope": {},
            "lasts_s": 3600,
            "reason": canary,
            "digest": b"",
            "expires_at": datetime(2027, 1, 1, tzinfo=UTC),
        },
    )
    yield (
        "usage_limit",
        {
            **ruled,
            "id": of("limit"),
            "holder_kind": "workspace",
            "metric": "messages",
            "per": "day",
            "amount": 1,
        },
    )
    yield (
        "api_key",
        {
            **here,
            "id": of("key"),
            "public_id": str(of("key"))[:12],
            "kind": "svc",
            "principal_id": of("service_account"),
            "name": canary,
            "digest": canary.encode(),
            "pepper_version": 1,
            "scope": {},
            "conditions": {},
            "expires_at": NOW,
        },
    )
    yield (
        "stream_ticket",
        {
            **here,
            "digest": canary.encode(),
            "principal_id": of("person"),
            "session_key": canary,
            "version": 1,
            "expires_at": NOW,
        },
    )
    secret = {**here, "sealed": canary.encode(), "key_version": 1, "waba": "1", "kind": "token"}
    yield "credential", {**secret, "id": of("credential")}
    yield (
        "meta_app",
        {
            **here,
            "id": of("app"),
            "app_id": "1",
            "app_secret": canary.encode(),
            "verify_token_digest": b"",
        },
    )
    yield (
        "workspace_key",
        {
            **here,
            "id": of("wrapped"),
            "purpose": "data",
            "version": 1,
            "wrapped": canary.encode(),
        },
    )
    yield "waba", {**here, "id": of("waba"), "meta_id": "1", "name": canary}
    yield (
        "number",
        {
            **here,
            "id": of("number"),
            "meta_id": "2",
            "waba_id": of("waba"),
            "display": "+1",
            "name": canary,
            "country": "MX",
        },
    )
    yield "template_set", {**here, "id": of("set"), "name": canary}
    yield "template_set_member", {**here, "set_id": of("set"), "template_name": canary}
    yield "resource", {**here, "kind": "number", "meta_id": "2"}
    yield "contact", {**here, "id": of("contact")}
    yield (
        "contact_identity",
        {
            **here,
            "id": of("identity"),
            "contact_id": of("contact"),
            "kind": "phone",
            "digest": b"the same number",
            "sealed": canary.encode(),
        },
    )
    yield (
        "record",
        {
            **call,
            "at": NOW,
            "event": canary,
            "schema": 1,
            "actor": canary,
            "operation": canary,
            "checks": "{}",
            "resources": "{}",
            "effect": "allow",
            "reason": "allowed",
            "policy_version": 1,
            "because": "{}",
            "obligations": "{}",
            "upstream_attempt": 0,
            "leaf": canary.encode(),
            "digest": b"",
        },
    )
    yield "record_open", {**call, "salt": b"", "body": {"canary": canary}, "at": NOW}
    yield "record_leaf", {**call, "index": 0}
    yield "outbox", {**here, "event": canary, "record_id": of("call"), "subjects": "{}"}
    yield (
        "idempotency",
        {
            **here,
            "principal": "p",
            "operation": "o",
            "key": "k",
            "digest": b"",
            "call_id": of("call"),
            "state": "running",
        },
    )
    window = {**here, "limit_id": of("limit"), "starts": NOW}
    yield "limit_use", {**window, "used": 1}
    yield "limit_recipient", {**window, "contact_id": of("contact")}
    yield "limit_slice", {**here, "limit_id": of("limit"), "grants": "{}", "amounts": "{}"}
    yield (
        "webhook_event",
        {**here, "id": of("event"), "digest": b"the same event", "body": canary.encode()},
    )
