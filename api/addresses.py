"""Where webhooks may go: public addresses, and what the operator lists. A tenant names the host, so it's the tenant who
must not reach what only this machine can."""

from __future__ import annotations

import ipaddress
from collections.abc import Iterable

Address = ipaddress.IPv4Address | ipaddress.IPv6Address
Network = ipaddress.IPv4Network | ipaddress.IPv6Network

# All that is handed out to anybody lies here; what translates to IPv4 inside it is left out below.
GLOBAL_6 = ipaddress.IPv6Network("2000::/3")
# Not the internet either, though Python counts some of it as global: 6to4 and its relays carry IPv4 addresses; networks of
# protocols; documentation.
NEVER: tuple[Network, ...] = tuple(
    ipaddress.ip_network(each) for each in ("192.0.0.0/24", "192.88.99.0/24", "2001::/23", "2002::/16", "3fff::/20")
)


def is_public(address: Address) -> bool:
    """Whether an address belongs to the internet: not private, shared, loopback, link-local, multicast or reserved."""
    if isinstance(address, ipaddress.IPv6Address):
        if address.ipv4_mapped is not None:
            return is_public(address.ipv4_mapped)
        if address not in GLOBAL_6:
            return False
    unusual = address.is_multicast or address.is_reserved or address.is_unspecified
    return address.is_global and not unusual and not any(address in network for network in NEVER)


class Allowed:
    """The addresses that webhooks may go to."""

    def __init__(self, listed: str) -> None:
        self._hosts: set[str] = set()
        self._networks: list[Network] = []
        for part in filter(None, (part.strip().lower() for part in listed.split(","))):
            try:
                self._networks.append(ipaddress.ip_network(part))
            except ValueError:
                self._hosts.add(part)

    def __call__(self, host: str, addresses: Iterable[str]) -> bool:
        """Whether all addresses that a host's name stands for may be gone to. None at all: no."""
        if host.lower() in self._hosts:
            return True
        found = [_parsed(each) for each in addresses]
        return bool(found) and all(self._is_allowed(each) for each in found)

    def _is_allowed(self, address: Address) -> bool:
        return is_public(address) or any(address in network for network in self._networks)


def _parsed(address: str) -> Address:
    """An address as it counts: ::ffff:10.0.0.1 is 10.0.0.1, and a zone (fe80::1%eth0) makes no difference."""
    parsed = ipaddress.ip_address(address.partition("%")[0])
    mapped = parsed.ipv4_mapped if isinstance(parsed, ipaddress.IPv6Address) else None
    return mapped or parsed
