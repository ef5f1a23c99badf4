"""The address of a request's sender behind proxies, and the network that it counts for."""

from __future__ import annotations

from ipaddress import ip_network

import pytest

from app.web.connection import network_of
from app.web.sender_address import sender_address

TRUSTED = (ip_network("10.0.0.0/8"), ip_network("2001:db8:1::/48"))


@pytest.mark.parametrize(
    ("peer", "forwarded", "sender"),
    [
        ("192.0.2.1", None, "192.0.2.1"),
        ("192.0.2.1", "198.51.100.7", "192.0.2.1"),  # anybody can write the header
        ("10.0.0.1", "198.51.100.7", "198.51.100.7"),
        ("10.0.0.1", "203.0.113.9, 198.51.100.7", "198.51.100.7"),  # the left one was sent by that client
        ("10.0.0.1", "198.51.100.7, 10.2.0.3", "198.51.100.7"),  # two trusted proxies
        ("10.0.0.1", "198.51.100.7:4711", "198.51.100.7"),
        ("10.0.0.1", "[2001:db8:2::7]:4711", "2001:db8:2::7"),
        ("2001:db8:1::1", "2001:db8:2::7", "2001:db8:2::7"),
        ("::ffff:10.0.0.1", "198.51.100.7", "198.51.100.7"),
        ("10.0.0.1", "unknown", "10.0.0.1"),
        ("10.0.0.1", "198.51.100.7, \x1b[2J", "10.0.0.1"),
        ("10.0.0.1", "", "10.0.0.1"),
        ("10.0.0.1", None, "10.0.0.1"),
        ("10.0.0.1", "10.0.0.2", "10.0.0.2"),
        (None, "198.51.100.7", None),
    ],
)
def test_only_what_a_trusted_proxy_appended_counts(
    peer: str | None, forwarded: str | None, sender: str | None
) -> None:
    assert sender_address(peer, forwarded, TRUSTED) == sender


@pytest.mark.parametrize(
    ("address", "network"),
    [
        ("192.0.2.1", "192.0.2.1"),
        ("2001:db8:1:2:3:4:5:6", "2001:db8:1:2::/64"),
        ("::ffff:192.0.2.1", "192.0.2.1"),
        ("fe80::1%eth0", "fe80::/64"),
        ("", ""),
    ],
)
def test_addresses_that_one_client_can_choose_count_as_one(address: str, network: str) -> None:
    assert network_of(address) == network
