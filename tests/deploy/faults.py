"""What may go wrong with an installation: put in by hand, as a shell of root's does, and taken out again."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Fault:
    """`check` is what the doctor must call it by, with `says` in its message or remedy."""

    name: str
    put: str
    undo: str
    check: str
    says: str


_SECRETS = "/var/lib/portero/secrets"
_ENV = "/etc/portero/portero.env"
_SQL = 'psql -q -U portero_admin -d portero -c "{}"'
_TLS = "/root/tls"


def _moved(path: str) -> tuple[str, str]:
    return f"mv {path} /root/kept", f"mv /root/kept {path}"


def _kept(path: str, change: str) -> tuple[str, str]:
    """Change a file in place, and give it its content back."""
    return f"cp -p {path} /root/kept && {change}", f"cat /root/kept > {path} && rm /root/kept"


def _set(line: str, restart: str = "") -> tuple[str, str]:
    put, undo = _kept(_ENV, f"echo '{line}' >> {_ENV}")
    again = f" && systemctl restart {restart}" if restart else ""
    return f"{put}{again}", f"{undo}{again}"


def _stopped(unit: str) -> tuple[str, str]:
    return f"systemctl stop {unit}", f"systemctl start {unit}"


def _with_certificate(proxy: str, folder: str) -> tuple[str, str]:
    """Another pair in place of the one that is served."""
    put = (
        f"cp -r {_TLS} /root/kept && cp {_TLS}/{folder}/*.pem {_TLS}/ && systemctl restart {proxy}"
    )
    undo = f"cp /root/kept/*.pem {_TLS}/ && rm -r /root/kept && systemctl restart {proxy}"
    return put, undo


def faults(proxy: str) -> list[Fault]:
    """Of an installation behind this proxy."""
    conf = {"nginx": "/etc/nginx/conf.d/portero.conf", "caddy": "/etc/caddy/Caddyfile"}[proxy]
    lie = {
        "nginx": "s/.remote_addr;/$proxy_add_x_forwarded_for;/",
        "caddy": "/request_header -.*_/d",
    }
    believed = _kept(conf, f"sed -i '{lie[proxy]}' {conf}")
    return [
        Fault("no gateway", *_stopped("portero-gateway"), "gateway", "portero serve gateway"),
        Fault("no console", *_stopped("portero-console"), "console", "portero serve console"),
        Fault("no streams", *_stopped("portero-live"), "streams", "portero serve live"),
        Fault("no worker", *_stopped("portero-worker"), "worker", "portero worker"),
        Fault("no proxy", *_stopped(proxy), "public address", "nobody answers"),
        Fault("no database", *_stopped("postgresql"), "database as app", "its server's log"),
        Fault("an open secret", f"chmod 644 {_SECRETS}/kek", f"chmod 600 {_SECRETS}/kek",
              "configuration", f"chmod 600 {_SECRETS}/kek"),
        Fault("a lost secret", *_moved(f"{_SECRETS}/pepper"), "configuration", "from your backup"),
        Fault("a spoilt secret", *_kept(f"{_SECRETS}/secret-key", f"echo x > {_SECRETS}/secret-key"),
              "configuration", "shorter than 50"),
        Fault("another password", *_kept(f"{_SECRETS}/postgres-log", f"echo x > {_SECRETS}/postgres-log"),
              "database as log", "is not the server's"),
        Fault("a login with too much right", _SQL.format("ALTER ROLE portero_app BYPASSRLS"),
              _SQL.format("ALTER ROLE portero_app NOBYPASSRLS"), "database as app", "NOBYPASSRLS"),
        Fault("a login that is shut", _SQL.format("ALTER ROLE portero_log NOLOGIN"),
              _SQL.format("ALTER ROLE portero_log LOGIN"), "database as log", "portero_log LOGIN"),
        Fault("a database without writes",
              _SQL.format("ALTER DATABASE portero SET default_transaction_read_only = on"),
              "PGOPTIONS='-c default_transaction_read_only=off' "
              + _SQL.format("ALTER DATABASE portero RESET default_transaction_read_only"),
              "database server", "takes no writes"),
        Fault("policies of another release", _SQL.format("COMMENT ON SCHEMA public IS 'other'"),
              "portero migrate", "row policies", "portero migrate"),
        Fault("a release that was not migrated",
              _SQL.format("UPDATE django_migrations SET name = 'x' || name WHERE app = 'webhooks'"),
              _SQL.format("UPDATE django_migrations SET name = substr(name, 2) WHERE app = 'webhooks'"),
              "migrations", "webhooks.0001_initial"),
        Fault("a setting that is misspelt", *_set("PORTERO_PUBLIC_ULR=x"), "configuration",
              "PORTERO_PUBLIC_ULR is no setting"),
        Fault("a proxy that is not named", *_set("PORTERO_TRUSTED_PROXIES=192.0.2.1/32", "portero-console"),
              "console by the proxy", "PORTERO_TRUSTED_PROXIES must hold"),
        Fault("a mail server that is away", *_set("PORTERO_MAIL_URL=smtp://127.0.0.1:9"), "mail",
              "127.0.0.1:9"),
        Fault("a name that leads nowhere", *_kept("/etc/hosts", "echo 127.0.0.1 localhost > /etc/hosts"),
              "public address", "leads nowhere"),
        Fault("a certificate that ends", *_with_certificate(proxy, "ending"), "certificate", "ends in"),
        Fault("a certificate of another name", *_with_certificate(proxy, "other"), "public address",
              "not taken"),
        Fault("a proxy that believes its clients", f"{believed[0]} && systemctl restart {proxy}",
              f"{believed[1]} && systemctl restart {proxy}", "console by the proxy", "whoever they like"),
        Fault("a package of another version",
              "cd /opt/portero/.venv/lib/python3*/site-packages && mv orjson-*.dist-info /root/",
              "cd /opt/portero/.venv/lib/python3*/site-packages && mv /root/orjson-*.dist-info .",
              "packages", "orjson"),
    ]  # fmt: skip
