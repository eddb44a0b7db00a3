"""Connections: base URL and credentials. A secret goes in, is encrypted at once, and never comes out to a page."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass
from functools import partial
from typing import Any
from urllib.parse import urlsplit

from django.db import transaction

from designer.changing import check_slug, require, touch_guard
from designer.models import Connection
from designer.refusals import Unfit
from orchestration import audit, crypto
from orchestration.access import Actor, Right
from orchestration.models import Workspace
from orchestration.providers import base
from orchestration.providers.addresses import why_bad_host

_HEADER = re.compile(r"[A-Za-z0-9!#$%&'*+.^_`|~-]{1,100}\Z")
_SCHEME = re.compile(r"[A-Za-z0-9._~+/-]{0,50}\Z")
MAX_SECRET = 8 * 1024  # characters


@dataclass(frozen=True)
class Configuration:
    """What a connection is, without its secret. `hosts` empty: the host of `base_url` alone."""

    base_url: str
    hosts: tuple[str, ...] = ()
    private: bool = False
    header: str = "Authorization"
    scheme: str = "Bearer"


def save_connection(
    actor: Actor | None, workspace: Workspace, name: str, configuration: Configuration, secret: str | None = None
) -> Connection:
    """Create a connection or change it; `secret` None keeps the one it has. Raises Unfit.

    The version rises with each change of the settings, so approvals that were given for the old ones are void.
    """
    require(actor, Right.ADMINISTER, workspace)
    values = _checked(configuration)
    with transaction.atomic():
        touch_guard(workspace)
        record = Connection.objects.filter(workspace=workspace, name=name).first()
        if record is None:
            record = Connection.objects.create(workspace=workspace, name=check_slug("name", name), **values)
            _record(actor, "connection.created", record, hosts=values["hosts"])
        elif changed := sorted(field for field, value in values.items() if getattr(record, field) != value):
            _change(record, values)
            _record(actor, "connection.changed", record, fields=changed, hosts=values["hosts"])
        if secret is not None:
            _write_secret(actor, record, secret)
    return record


def set_secret(actor: Actor | None, connection: Connection, secret: str) -> None:
    """Replace the secret; an empty one removes it. Raises Unfit. The settings and their version stay."""
    require(actor, Right.ADMINISTER, connection)
    with transaction.atomic():
        touch_guard(connection.workspace)
        _write_secret(actor, connection, secret)


def value(record: Connection) -> base.Connection:
    """Give the connection as the providers know it. The secret stays encrypted until `reveal` is called."""
    return base.Connection(
        name=record.name,
        base_url=record.base_url,
        hosts=tuple(record.hosts),
        private=record.private,
        version=record.version,
        header=record.header,
        scheme=record.scheme,
        reveal=partial(crypto.decrypt, bytes(record.secret), _context(record)) if record.secret else None,
    )


def _change(record: Connection, values: dict[str, object]) -> None:
    for field, new in values.items():
        setattr(record, field, new)
    record.version += 1
    record.save(update_fields=[*values, "version"])


def _write_secret(actor: Actor | None, record: Connection, secret: str) -> None:
    if len(secret) > MAX_SECRET or not secret.isprintable():
        raise Unfit("secret", f"A secret is one line of at most {MAX_SECRET} characters.")
    record.secret = crypto.encrypt(secret, _context(record)) if secret else b""
    record.save(update_fields=["secret"])
    _record(actor, "connection.secret_set" if secret else "connection.secret_removed", record)


def _context(record: Connection) -> str:
    return f"connection:{record.workspace_id}:{record.pk}"


def _record(actor: Actor | None, verb: str, record: Connection, **details: Any) -> None:
    audit.record(actor, verb, record, workspace=record.workspace, name=record.name, **details)


def _checked(configuration: Configuration) -> dict[str, object]:
    """Check the settings and give them as fields. Raises Unfit."""
    hosts = _checked_hosts(configuration.hosts or (_host_of(configuration),))
    if _host_of(configuration) not in hosts:
        raise Unfit("hosts", f"The host of the base URL, {_host_of(configuration)}, is not among them.", "Add it.")
    if not _HEADER.match(configuration.header):
        raise Unfit("header", f"{configuration.header[:100]!r} is not the name of a header.", "Authorization, say.")
    if not _SCHEME.match(configuration.scheme):
        raise Unfit("scheme", f"{configuration.scheme[:50]!r} can't stand before a secret.", "Bearer, say, or nothing.")
    return {
        "base_url": configuration.base_url,
        "hosts": hosts,
        "private": configuration.private,
        "header": configuration.header,
        "scheme": configuration.scheme,
    }


def _host_of(configuration: Configuration) -> str:
    """Find the host of the base URL. Raises Unfit for an address that credentials must not travel to."""
    try:
        parts = urlsplit(configuration.base_url)
        host, _ = (parts.hostname or "").lower(), parts.port
    except ValueError as error:
        raise Unfit("base_url", f"{configuration.base_url[:200]!r} is not an address: {error}.") from None
    if not host or parts.scheme not in ("https", "http") or len(configuration.base_url) > 200:
        raise Unfit("base_url", f"{configuration.base_url[:200]!r} is no web address.", "https://api.example.com, say.")
    if parts.scheme == "http" and not configuration.private:
        raise Unfit("base_url", "Credentials travel by https only.", "Write https, or mark the connection as private.")
    if parts.username or parts.password or parts.query or parts.fragment:
        raise Unfit("base_url", "It holds more than host, port and path.", "Credentials belong into the secret.")
    return host


def _checked_hosts(hosts: Iterable[str]) -> list[str]:
    found = sorted({host.strip().lower() for host in hosts})
    for host in found:
        if why := why_bad_host(host):
            raise Unfit("hosts", f"{host[:100]!r} can't be used: {why}.", "Name each host exactly, without port or *.")
    return found
