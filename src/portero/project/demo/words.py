"""What the demo says once it runs."""

from __future__ import annotations

import sys
from collections.abc import Mapping
from pathlib import Path
from shlex import quote
from typing import Any

from portero.project.demo.lan import Lan
from portero.project.demo.world import LUCIA

_INTRODUCTION = """
Portero is running, with the shop {workspace}.

  Console   {console_url}
  Gateway   {gateway_url}    the base URL for your programs, in place of https://graph.facebook.com
  Sandbox   {sandbox_url}    plays Meta; what reached it: {sandbox_url}/_sandbox/ledger

Sign in to the console as {owner}, with the password {password}
and the code that this writes: {portero} demo --data {data} --code {owner_name}
The others, and what they may, stand in {file}.
{mails}

Keys, in {file}:
{keys}

Take one, and send a message with curl:

  export KEY=$({python} -c 'import json; print(json.load(open("{file}"))["keys"][{living}]["key"])')
  curl {gateway_url}/v23.0/{number}/messages \\
    -H "Authorization: Bearer $KEY" -H "Content-Type: application/json" \\
    -d '{{"messaging_product":"whatsapp","to":"{customer}","type":"text","text":{{"body":"Hola"}}}}'

The same with pywa (`make setup` brings it); only the base URL is new:

  import os, httpx, pywa
  session = httpx.Client()
  wa = pywa.WhatsApp(phone_id="{number}", token=os.environ["KEY"], session=session)
  session.base_url = "{gateway_url}/v23.0"
  wa.send_message(to="{customer}", text="Hola")

Ask why:

  {portero} --state {state} why orders-bot send:text --number Ventas

Everything is kept in {state}. Stop with Ctrl-C; start again and it is all still there.
"""


_MAILBOX = "Mails are not sent: they lie in {console_url}/mailbox/"
_ON_A_PHONE = """Mails are not sent, and not kept: links are shown where they are made.

Other machines of this network reach it: whoever is in it sees the page to sign in. A phone first takes
the demo's authority, which may speak for {name} alone, from {authority}
  Android: Settings, Security, More, Install a certificate, CA certificate
  iPhone:  open it in Safari; then Settings, General, VPN and device management; then General, About,
           Certificate trust settings
Then it opens {console_url}"""


def introduction(document: Mapping[str, Any], state: Path, lan: Lan | None = None) -> str:
    """Where to go, and two examples that work when pasted. Keys stay in their file."""
    keys = document["keys"]
    where = {"name": lan.name, "authority": lan.authority_url} if lan else {}
    mails = (_ON_A_PHONE if lan else _MAILBOX).format(console_url=document["console_url"], **where)
    return _INTRODUCTION.format(
        mails=mails,
        workspace=document["workspace"]["name"],
        console_url=document["console_url"],
        gateway_url=document["gateway_url"],
        sandbox_url=document["sandbox_url"],
        file=state / "demo.json",
        living=next((n for n, key in enumerate(keys) if not key["may"].startswith("nothing")), 0),
        keys="\n".join(f"  {key['name']:<13} {key['may']}" for key in keys),
        number=document["numbers"][0]["phone_number_id"],
        python=quote(sys.executable),
        portero=quote(str(Path(sys.executable).with_name("portero"))),
        customer=LUCIA,
        owner=document["people"][0]["email"],
        owner_name=document["people"][0]["name"].lower(),
        password=document["people"][0]["password"],
        data=quote(str(state)),
        state=quote(str(state)),
    )
