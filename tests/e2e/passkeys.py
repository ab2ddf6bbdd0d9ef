"""A virtual authenticator: a phone's finger or face, always willing."""

from __future__ import annotations

from playwright.sync_api import CDPSession, Page


def with_passkeys(page: Page) -> tuple[CDPSession, str]:
    """Give a page's browser one; returns how to talk to it, and its id."""
    devices = page.context.new_cdp_session(page)
    devices.send("WebAuthn.enable")
    made = devices.send(
        "WebAuthn.addVirtualAuthenticator",
        {
            "options": {
                "protocol": "ctap2",
                "transport": "internal",
                "hasResidentKey": True,
                "hasUserVerification": True,
                "isUserVerified": True,
                "automaticPresenceSimulation": True,
            }
        },
    )
    return devices, made["authenticatorId"]
