"""Which hosts may be spoken to: the loopback always, others if they stand in a list, compared exactly.

The list holds names and IP addresses, no patterns: `gpu.internal` does not cover `a.gpu.internal`, nor
`gpu.internal.example.com`. Names are compared as they are written: one that merely resolves to an allowed address is
not allowed. `localhost` counts as loopback as long as this machine resolves it to loopback addresses only. A URL that
two parsers could read differently (a user before the host, a backslash, other alphabets) is refused, not guessed.

    host_of("http://127.0.0.1:8081/v1")            "127.0.0.1"
    is_allowed("10.1.2.3", ["10.1.2.3"])           True
    is_allowed("127.0.0.1.example.com", [])        False
"""

import ipaddress
import re
import socket
from collections.abc import Iterable

from records.errors import InputError

Address = ipaddress.IPv4Address | ipaddress.IPv6Address
_NAME = re.compile(r"(?=.{1,253}\Z)[a-z0-9_]([a-z0-9_-]{0,62})(\.[a-z0-9_]([a-z0-9_-]{0,62}))*\Z")
_URL = re.compile(r"[a-z][a-z0-9+.-]*://(?P<authority>[^/?#]*)", re.IGNORECASE)
_AUTHORITY = re.compile(r"(?:\[(?P<six>[0-9a-f:.]+)\]|(?P<host>[a-z0-9._-]+))(?::\d{1,5})?\Z", re.IGNORECASE)


def host_of(url: str) -> str:
    """The host of a URL, in lower case, an IPv6 address without its brackets.

    Raises InputError for a URL whose host could be read in two ways.
    """
    found = _URL.match(url)
    inner = _AUTHORITY.match(found["authority"]) if found else None
    if inner is None or not url.isascii() or not url.isprintable() or "\\" in url or " " in url:
        shown = re.sub(r"(?<=//)[^/]*@", "***@", url)
        raise InputError(f"{shown!r}: no plain address. Write it as scheme://host:port/path, without a user name.")
    return (inner["six"] or inner["host"]).lower()


def is_loopback(host: str) -> bool:
    """Whether this is this machine's own inside: 127.0.0.0/8, ::1, or `localhost` where that resolves to these."""
    if host.lower() == "localhost":
        return all(_is_loop(address) for address in _resolved(host))
    address = as_address(host)
    return address is not None and _is_loop(address)


def is_allowed(host: str, allowed: Iterable[str]) -> bool:
    """Whether the host is loopback or one of the list; addresses are compared as addresses, names as names."""
    if is_loopback(host):
        return True
    mine = as_address(host)
    return any(as_address(one) == mine if mine else one.lower() == host.lower() for one in allowed)


def is_host(text: str) -> bool:
    """Whether this can stand in the list: a name or an IP address, without scheme, port or pattern."""
    return as_address(text) is not None or bool(_NAME.match(text.lower()) and not text.replace(".", "").isdigit())


def as_address(host: str) -> Address | None:
    """The IP address that a text is, one of IPv4 written as IPv6 as the former; None for a name.

    Only the four plain numbers count: 2130706433, 127.1 and 0177.0.0.1 are names that nobody has.
    """
    try:
        found = ipaddress.ip_address(host.partition("%")[0])
    except ValueError:
        return None
    mapped = found.ipv4_mapped if isinstance(found, ipaddress.IPv6Address) else None
    return mapped or found


def _is_loop(address: Address) -> bool:
    return address.is_loopback


def _resolved(name: str) -> list[Address]:
    """What this machine's resolver says; nothing where it does not know the name (which then cannot be reached)."""
    try:
        found = {str(entry[4][0]) for entry in socket.getaddrinfo(name, None)}
    except OSError:
        return []
    return [address for one in found if (address := as_address(one)) is not None]
