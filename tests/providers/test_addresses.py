"""Which addresses and spellings are refused."""

# ruff: noqa: SIM905 - tables of addresses are text
from __future__ import annotations

from ipaddress import IPv6Address, ip_address

import pytest

from orchestration.providers.addresses import why_bad_host, why_refused

CLOSED = """
127.0.0.1 127.1.2.3 127.255.255.255 10.0.0.1 10.255.255.255 172.16.0.1 172.31.255.255 192.168.0.1 192.168.255.255
100.64.0.1 100.127.255.255 100.100.100.200 169.254.0.1 169.254.169.254 169.254.170.2 168.63.129.16 192.0.0.192
0.0.0.0 0.1.2.3 192.0.0.1 192.0.0.8 192.0.2.1 192.31.196.1 192.52.193.1 192.88.99.1 192.175.48.1 198.18.0.1
198.19.255.255 198.51.100.7 203.0.113.9 224.0.0.1 224.0.0.251 239.255.255.250 240.0.0.1 255.255.255.255
::1 :: ::127.0.0.1 ::8.8.8.8 ::ffff:127.0.0.1 ::ffff:10.0.0.1 ::ffff:169.254.169.254 ::ffff:0:127.0.0.1
::ffff:100.64.0.1 ::ffff:224.0.0.1 ::ffff:0.0.0.0 64:ff9b::7f00:1 64:ff9b::a00:1 64:ff9b::a9fe:a9fe
64:ff9b::c0a8:1 64:ff9b:1::7f00:1 64:ff9b:1::808:808 2002:7f00:1:: 2002:a00:1:: 2002:a9fe:a9fe:: 2002:808:808::
2001:0:7f00:1:: 2001:0:808:808:0:0:f7f7:f7f7 2001::1 2001:10::1 2001:20::1 2001:db8::1 3fff::1 2620:4f:8000::1
fe80::1 fe80::a9fe:a9fe febf::1 fec0::1 fc00::1 fd00::1 fd00:ec2::254 fd20:ce::254 fdff::ffff ff02::1 ff05::2 ff0e::1
100::1 5f00::1 4000::1 8000::1 e000::1 2607:f8b0::5efe:7f00:1 2607:f8b0::200:5efe:a00:1 2607:f8b0::5efe:a9fe:a9fe
fe80::1%eth0 2607:f8b0::1%1
""".split()
OPEN = "8.8.8.8 1.1.1.1 93.184.215.14 172.32.0.1 100.63.255.255 100.128.0.1 11.0.0.1 2606:4700::1111 2a00:1450::1 " \
       "::ffff:8.8.8.8 64:ff9b::808:808 223.255.255.254".split()  # fmt: skip
NEVER_OPEN = "169.254.169.254 169.254.1.1 fe80::1 0.0.0.0 :: 224.0.0.1 ff02::1 100.100.100.200 fd00:ec2::254 " \
             "168.63.129.16 192.0.0.192 ::ffff:169.254.169.254 64:ff9b::a9fe:a9fe 2002:7f00:1:: ::127.0.0.1 " \
             "255.255.255.255 240.0.0.1 2001:0:7f00:1::".split()  # fmt: skip
PRIVATE = "127.0.0.1 10.1.2.3 172.16.5.5 192.168.1.1 100.64.0.9 ::1 fd12:3456::1 ::ffff:10.0.0.1".split()
BAD_HOSTS = [
    "", "127.1", "127.0.1", "2130706433", "0x7f000001", "0x7f.0.0.1", "0177.0.0.1", "127.0.0.01", "00127.0.0.1",
    "017700000001", "1.2.3", "1.2.3.4.5", "256.1.1.1", "0xA9FEA9FE", "a..b", ".example.com", "example.com.",
    "exa mple.com", "example.com%00", "fe80::1%eth0", "[::1]", "-a.com", "a-.com", "exam/ple", "a@b", "::g",
    "例え.jp", "127。0。0。1", "١٢٧.0.0.1", "1.2.3.٤", "a" * 64 + ".com",
]  # fmt: skip


@pytest.mark.parametrize("address", CLOSED)
def test_no_address_that_is_not_public_is_reached(address):
    assert why_refused(ip_address(address)) is not None


@pytest.mark.parametrize("address", OPEN)
def test_public_addresses_are_reached(address):
    assert why_refused(ip_address(address)) is None


@pytest.mark.parametrize("address", PRIVATE)
def test_a_private_connection_reaches_private_addresses(address):
    assert why_refused(ip_address(address), private=True) is None


@pytest.mark.parametrize("address", NEVER_OPEN)
def test_a_private_connection_never_reaches_link_local_metadata_or_special_addresses(address):
    assert why_refused(ip_address(address), private=True) is not None


@pytest.mark.parametrize("host", BAD_HOSTS)
def test_hosts_that_programs_read_differently_are_refused(host):
    assert why_bad_host(host) is not None


@pytest.mark.parametrize("host", ["example.com", "a", "xn--r8jz45g.jp", "127.0.0.1", "::1", "api-1.eu_west.example"])
def test_plain_hosts_are_understood(host):
    assert why_bad_host(host) is None


def test_every_ipv4_address_that_is_closed_stays_closed_behind_each_ipv6_form():
    for text in (address for address in CLOSED if ":" not in address):
        low = int(ip_address(text))
        for prefix in (0xFFFF << 32, 0x64FF9B << 96, 0x2002 << 112, 0):
            inner = low << 80 if prefix == 0x2002 << 112 else low
            assert why_refused(IPv6Address(prefix | inner)) is not None, (text, hex(prefix))
