"""What a server is started with, and what is refused before it starts."""

import ipaddress
import secrets
from dataclasses import dataclass, field
from pathlib import Path

from measurement.errors import DataError, shown

LOOPBACK = ("127.0.0.1", "localhost", "[::1]")


@dataclass(frozen=True, slots=True)
class Settings:
    """A server of one workspace.

    Attributes:
        folder: The workspace.
        address: The address to listen on.
        port: The port.
        hosts: Names under which it may be asked for, beside those of this machine: all others are refused.
        proxies: Addresses of proxies whose word on who asks is taken.
        token: The secret of the printed address.
    """

    folder: Path
    address: str = "127.0.0.1"
    port: int = 8765
    hosts: tuple[str, ...] = ()
    proxies: tuple[str, ...] = ()
    token: str = field(default_factory=lambda: secrets.token_urlsafe(32), repr=False)

    @property
    def allowed(self) -> frozenset[str]:
        """Every host name it answers to."""
        return frozenset(name.lower() for name in (*LOOPBACK, *self.hosts))

    @property
    def url(self) -> str:
        """Its address for people on this machine."""
        host = f"[{self.address}]" if ":" in self.address else self.address
        return f"http://{host if local(self.address) else '127.0.0.1'}:{self.port}"

    @property
    def cookie(self) -> str:
        """Name of its cookie: cookies do not know ports, and several servers may run on one machine."""
        return f"theodolite_{self.port}"


def local(address: str) -> bool:
    """Whether only this machine can reach an address."""
    try:
        return ipaddress.ip_address(address).is_loopback
    except ValueError:
        return address == "localhost"


def refuse_open_doors(settings: Settings, keys: int) -> None:
    """Refuse to listen where other machines could ask, unless keys or a proxy say who may.

    Raises:
        DataError: Where an address is none, or the bind would be open.
    """
    for proxy in settings.proxies:
        try:
            ipaddress.ip_address(proxy)
        except ValueError:
            raise DataError(f"--proxy: found '{shown(proxy)}', expected an address such as 10.0.0.2") from None
    if local(settings.address):
        return
    if not keys and not settings.proxies:
        raise DataError(
            f"--host {shown(settings.address)} would let other machines ask, and nothing says who may: make keys with "
            "`theodolite keys add NAME --role viewer`, or name a proxy that signs people in (--proxy ADDRESS)"
        )
    if not settings.hosts:
        raise DataError(
            f"--host {shown(settings.address)} is reached under a name: give it with --name, as in "
            "--name measurement.example.org; any other name is refused"
        )
