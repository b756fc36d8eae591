"""Which addresses webhooks may go to, for any address there is."""

from __future__ import annotations

import ipaddress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from api.addresses import Allowed

INSIDE = """
0.0.0.0/8 10.0.0.0/8 100.64.0.0/10 127.0.0.0/8 169.254.0.0/16 172.16.0.0/12 192.0.0.0/24
192.0.2.0/24 192.168.0.0/16 198.18.0.0/15 198.51.100.0/24 203.0.113.0/24 224.0.0.0/4 240.0.0.0/4
::/96 ::1/128 ::ffff:10.0.0.0/104 ::ffff:127.0.0.0/104 64:ff9b::/96 64:ff9b:1::/48 100::/64
2001::/23 3fff::/20 2001::/32 2001:db8::/32 2002::/16 fc00::/7 fe80::/10
fec0::/10 ff00::/8
""".split()
OUTSIDE = ["8.8.8.8", "1.1.1.1", "93.184.215.14", "2606:4700:4700::1111", "2a00:1450:4001:80b::200e", "::ffff:8.8.8.8"]
nobody = Allowed("")


@st.composite
def inside(draw: st.DrawFn) -> str:
    network = ipaddress.ip_network(draw(st.sampled_from(INSIDE)))
    return str(network[draw(st.integers(0, network.num_addresses - 1))])


@given(inside())
def test_no_address_inside_a_network_of_ones_own_is_gone_to(address):
    assert not nobody("example.org", [address])


@given(inside(), st.lists(st.sampled_from(OUTSIDE), max_size=3), st.integers(0, 3))
def test_one_address_inside_among_others_spoils_them_all(address, others, place):
    assert not nobody("example.org", [*others[:place], address, *others[place:]])


@given(st.ip_addresses(v=4))
def test_an_address_written_as_ipv6_is_judged_like_itself(address):
    assert nobody("a.b", [str(address)]) == nobody("a.b", [f"::ffff:{address}"])
    assert nobody("a.b", [str(address)]) <= address.is_global  # never more than the registry says


@given(st.ip_addresses(v=6))
def test_what_is_gone_to_is_global(address):
    if nobody("a.b", [str(address)]):
        assert address.is_global and not address.is_multicast


@pytest.mark.parametrize("address", OUTSIDE)
def test_the_internet_is_gone_to(address):
    assert nobody("example.org", [address])


def test_a_name_without_an_address_is_not_gone_to():
    assert not nobody("example.org", [])


def test_the_operator_lists_hosts_and_networks():
    some = Allowed("10.1.0.0/16, hooks.internal ,fd00::/8,127.0.0.1")
    assert (
        some("x", ["10.1.2.3"])
        and some("x", ["::ffff:10.1.2.3"])
        and some("x", ["fd12::1"])
        and some("x", ["127.0.0.1"])
    )
    assert some("Hooks.Internal", ["192.168.1.1"])
    assert not some("x", ["10.2.0.1"]) and not some("x", ["127.0.0.2"]) and not some("x.hooks.internal", ["10.2.0.1"])
    assert not some("x", ["10.1.2.3", "10.2.0.1"])


def test_a_zone_changes_nothing():
    assert not nobody("x", ["fe80::1%eth0"])
