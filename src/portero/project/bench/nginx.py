"""nginx as the yardstick, as a rival, and as the upstream that answers at once."""

from __future__ import annotations

import os
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from portero.project.bench.measuring import NotMeasured
from portero.project.bench.stand import accepts, child, wait_for

_UNPACKED = Path(".venv/debian/usr/sbin/nginx")

_COMMON = """
daemon off; worker_processes 1; pid {folder}/nginx.pid; error_log {folder}/error.log crit;
events {{ worker_connections 4096; }}
http {{
  access_log off; keepalive_requests 100000000; client_body_buffer_size 64k;
  client_body_temp_path {folder}/body; proxy_temp_path {folder}/proxy;
  fastcgi_temp_path {folder}/fastcgi; uwsgi_temp_path {folder}/uwsgi; scgi_temp_path {folder}/scgi;
  {inside}
}}
"""

# The number's id tells the customer, so that an answer names whom the request was for.
UPSTREAM = """
map $uri $customer {{ default 5215500000000; "~/[0-9]*(?<tail>[0-9]{{10}})/messages" 521$tail; }}
server {{
  listen 127.0.0.1:{port};
  location / {{
    default_type "application/json; charset=UTF-8";
    return 200 '{{"messaging_product":"whatsapp","contacts":[{{"input":"+$customer","wa_id":"$customer"}}],"messages":[{{"id":"wamid.$request_id"}}]}}';
  }}
}}
"""
# Headers set in a location are all that are set there: connections stay open by that one, too.
PROXY = """
upstream meta {{ server 127.0.0.1:{upstream}; keepalive 128; keepalive_requests 100000000; }}
upstream judge {{ server 127.0.0.1:{judge}; keepalive 128; keepalive_requests 100000000; }}
server {{
  listen 127.0.0.1:{port};
  proxy_http_version 1.1;
  location / {{
    proxy_pass http://meta;
    proxy_set_header Connection ""; proxy_set_header Authorization "Bearer {token}";
  }}
}}
server {{
  listen 127.0.0.1:{judged};
  proxy_http_version 1.1;
  location / {{
    auth_request /judge;
    proxy_pass http://meta;
    proxy_set_header Connection ""; proxy_set_header Authorization "Bearer {token}";
  }}
  location = /judge {{
    internal; proxy_pass http://judge; proxy_pass_request_body off;
    proxy_set_header Connection ""; proxy_set_header Content-Length ""; proxy_set_header X-Original-URI $request_uri;
  }}
}}
"""


def program() -> str:
    """Where nginx is. Raises NotMeasured."""
    found = shutil.which("nginx", path=f"{os.environ.get('PATH', '')}:/usr/sbin")
    if found is None and _UNPACKED.exists():
        found = str(_UNPACKED.resolve())
    if found is None:
        raise NotMeasured("nginx is not installed: apt-get install nginx")
    return found


@contextmanager
def nginx(inside: str, *ports: int) -> Iterator[int]:
    """One worker with this inside its http block, once the ports answer; gives its pid."""
    folder = Path(tempfile.mkdtemp(prefix="portero-bench-nginx-"))
    folder.chmod(0o755)
    try:
        config = folder / "nginx.conf"
        config.write_text(_COMMON.format(folder=folder, inside=inside))
        with child([program(), "-p", str(folder), "-c", str(config)]) as process:
            for port in ports:
                wait_for(lambda port=port: accepts(port))
            yield process.pid
    finally:
        shutil.rmtree(folder, ignore_errors=True)
