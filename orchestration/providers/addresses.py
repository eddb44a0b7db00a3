"""Which addresses Baton may connect to, by a table of its own.

The table is not `ipaddress.is_global`: Python calls 64:ff9b::7f00:1, 2002:7f00:1::, ::127.0.0.1 and 224.0.0.1
global. IPv4 addresses inside IPv6 ones are judged as the IPv4 address they lead to.
"""

from __future__ import annotations

import re
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address

Address = IPv4Address | IPv6Address
_Networks = tuple[tuple[str, IPv4Network | IPv6Network], ...]

# Cloud metadata and fabric services. Some lie in ranges that are public or may be allowed as private.
METADATA = frozenset(
    ip_address(text)
    for text in ("169.254.169.254", "169.254.170.2", "100.100.100.200", "168.63.129.16", "192.0.0.192",
                 "fd00:ec2::254", "fd20:ce::254")
)  # fmt: skip

# What `Connection.private` opens, and nothing else.
PRIVATE: _Networks = (
    ("loopback", IPv4Network("127.0.0.0/8")),
    ("private", IPv4Network("10.0.0.0/8")),
    ("private", IPv4Network("172.16.0.0/12")),
    ("private", IPv4Network("192.168.0.0/16")),
    ("shared carrier space", IPv4Network("100.64.0.0/10")),
    ("loopback", IPv6Network("::1/128")),
    ("private", IPv6Network("fc00::/7")),
)

NEVER: _Networks = (
    ("unspecified", IPv4Network("0.0.0.0/8")),
    ("link-local", IPv4Network("169.254.0.0/16")),
    ("protocol assignment", IPv4Network("192.0.0.0/24")),
    ("documentation", IPv4Network("192.0.2.0/24")),
    ("AS112", IPv4Network("192.31.196.0/24")),
    ("multicast tunnel", IPv4Network("192.52.193.0/24")),
    ("6to4 relay", IPv4Network("192.88.99.0/24")),
    ("AS112", IPv4Network("192.175.48.0/24")),
    ("benchmark", IPv4Network("198.18.0.0/15")),
    ("documentation", IPv4Network("198.51.100.0/24")),
    ("documentation", IPv4Network("203.0.113.0/24")),
    ("multicast", IPv4Network("224.0.0.0/4")),
    ("reserved", IPv4Network("240.0.0.0/4")),
    ("protocol assignment", IPv6Network("2001::/23")),  # Teredo and ORCHID among them
    ("documentation", IPv6Network("2001:db8::/32")),
    ("6to4", IPv6Network("2002::/16")),
    ("AS112", IPv6Network("2620:4f:8000::/48")),
    ("documentation", IPv6Network("3fff::/20")),
)
_GLOBAL_V6 = IPv6Network("2000::/3")
_NAT64 = IPv6Network("64:ff9b::/96")
_DOTTED_QUAD = re.compile(r"(0|[1-9]\d{0,2})(\.(0|[1-9]\d{0,2})){3}\Z", re.ASCII)
_HOST_NAME = re.compile(r"(?!-)[a-z0-9_-]{1,63}(?<!-)(\.(?!-)[a-z0-9_-]{1,63}(?<!-))*\Z", re.ASCII)


def why_refused(address: Address, *, private: bool = False) -> str | None:
    """Name the rule that forbids connecting to `address`, or None when it is allowed.

    `private` opens loopback and private ranges for a connection an administrator marked so; link-local, metadata,
    multicast and the other special ranges stay closed.
    """
    if isinstance(address, IPv6Address):
        if address.scope_id:
            return "scoped"
        inner = embedded_ipv4(address)
        if inner is not None:
            return why_refused(inner, private=private)
    if address in METADATA:
        return "metadata"
    for name, network in PRIVATE:
        if address in network:
            return None if private else name
    for name, network in NEVER:
        if address in network:
            return name
    if isinstance(address, IPv6Address) and address not in _GLOBAL_V6:
        return _name_of_special_v6(address)
    return None


def embedded_ipv4(address: IPv6Address) -> IPv4Address | None:
    """Give the IPv4 address that a mapped or NAT64 address leads to.

    6to4, Teredo and the deprecated compatible form are not unwrapped: the table refuses them whatever they hold.
    An ISATAP address counts only when it holds an address that is refused.
    """
    if address.ipv4_mapped is not None:
        return address.ipv4_mapped
    low = int(address) & 0xFFFFFFFF
    if address in _NAT64:
        return IPv4Address(low)
    isatap = (int(address) >> 32) & 0xFFFFFFFF in (0x00005EFE, 0x02005EFE)
    if isatap and why_refused(IPv4Address(low)) is not None:
        return IPv4Address(low)
    return None


def why_bad_host(host: str) -> str | None:
    """Name what is wrong with the spelling of a host, or None. Accepts names, dotted quads and IPv6 literals.

    Other spellings of numbers (127.1, 0x7f000001, 2130706433) mean different hosts to different programs.
    """
    if not host:
        return "empty"
    if ":" in host:
        return _why_bad_literal(host)
    if not _HOST_NAME.match(host):
        return "not a host name"
    last = host.rpartition(".")[2]
    if last.isdigit() or last.startswith("0x"):
        return _why_bad_literal(host) if _DOTTED_QUAD.match(host) else "unusual spelling of an address"
    return None


def _why_bad_literal(host: str) -> str | None:
    try:
        ip_address(host)
    except ValueError:
        return "not an address"
    return "scoped" if "%" in host else None


def _name_of_special_v6(address: IPv6Address) -> str:
    if address.is_unspecified:
        return "unspecified"
    if address.is_link_local:
        return "link-local"
    if address.is_multicast:
        return "multicast"
    if int(address) >> 32 == 0:
        return "IPv4-compatible"
    return "not public"
