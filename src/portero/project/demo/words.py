"""What the demo says once it runs."""

from __future__ import annotations

import sys
from collections.abc import Mapping
from pathlib import Path
from shlex import quote
from typing import Any

from portero.project.demo.world import LUCIA

_INTRODUCTION = """
Portero is running, with the shop {workspace}.

  Console   {console_url}
  Gateway   {gateway_url}    the base URL for your programs, in place of https://graph.facebook.com
  Sandbox   {sandbox_url}    plays Meta; what reached it: {sandbox_url}/_sandbox/ledger

Sign in to the console as {owner}, with the password {password}
and the code that this writes: {portero} demo --data {data} --code {owner_name}
The others, and what they may, stand in {file}.
Mails are not sent: they lie in {console_url}/mailbox/

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


def introduction(document: Mapping[str, Any], state: Path) -> str:
    """Where to go, and two examples that work when pasted. Keys stay in their file."""
    keys = document["keys"]
    return _INTRODUCTION.format(
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
