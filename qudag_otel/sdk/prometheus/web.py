"""Who may scrape /metrics: by the name it is asked for, by TLS, by a user or by a token.

The file is Prometheus' web configuration, as exporters take it with `--web.config.file`.
Source: github.com/prometheus/exporter-toolkit, docs/web-configuration.md.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import importlib
import ipaddress
import ssl
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from qudag_otel.sdk.prometheus.bearer import Stamp, Token, stamp_of
from qudag_otel.sdk.settings import variables as v
from qudag_otel.sdk.settings.errors import ConfigurationError

if TYPE_CHECKING:
    from collections.abc import Mapping

_KEYS: Final = {"tls_server_config", "basic_auth_users"}
_FILE_KEYS: Final = ("cert_file", "key_file", "client_ca_file")
_TLS_KEYS: Final = {*_FILE_KEYS, "client_auth_type", "min_version"}
_CLIENTS: Final = {
    "NoClientCert": ssl.CERT_NONE,
    "VerifyClientCertIfGiven": ssl.CERT_OPTIONAL,
    "RequireAndVerifyClientCert": ssl.CERT_REQUIRED,
}
_VERSIONS: Final = {"TLS12": ssl.TLSVersion.TLSv1_2, "TLS13": ssl.TLSVersion.TLSv1_3}


class Door:
    """What a request must bring.

    Where /metrics is bound to loopback only, a request must also be meant for it: a web page may
    make a browser on this host ask for any name that its owner lets point to 127.0.0.1.

    Args:
        host: The address that is bound.
        file: Prometheus' web configuration; empty for none.
        token_file: Has a bearer token, which serves as well as a user; empty for none.

    Raises:
        ConfigurationError: A file cannot be used.
    """

    def __init__(self, host: str, file: str = "", token_file: str = "") -> None:
        self._host = host.lower()
        self._loopback = _is_loopback(host)
        self._file = file
        self._users: Mapping[str, str] = {}
        self._tls: ssl.SSLContext | None = None
        self._files: list[Path] = []
        self._stamps: list[Stamp] = []
        self._token = Token(token_file) if token_file else None
        self._admitted: set[bytes] = set()
        self._nobody = ""
        self.remedy = f"/metrics is bound to {host}: ask for it by that name, or bind {_ANY}"
        if file:
            self._load()

    @property
    def scheme(self) -> str:
        """How it is spoken to."""
        return "https" if self._tls else "http"

    @property
    def challenge(self) -> str:
        """What a request without credentials is told to bring, as WWW-Authenticate names it."""
        asked = {"Basic": self._users, "Bearer": self._token}
        return ", ".join(f'{scheme} realm="metrics"' for scheme, one in asked.items() if one)

    def _load(self) -> None:
        try:
            yaml: Any = importlib.import_module("yaml")
            self._bcrypt: Any = importlib.import_module("bcrypt")
        except ImportError as error:
            raise _refused(
                self._file, f"needs the package {error.name}", "Install qudag-otel[web-config]."
            ) from error
        try:
            stamps = [stamp_of(Path(self._file))]
            content: dict[str, Any] = yaml.safe_load(Path(self._file).read_text("utf-8")) or {}
            told: dict[str, str] = content.get("tls_server_config") or {}
            users: dict[str, str] = content.get("basic_auth_users") or {}
            unknown = [*sorted(set(content) - _KEYS), *sorted(set(told) - _TLS_KEYS)]
            if unknown:
                raise _refused(self._file, f"{unknown[0]} has no effect here", "Take it out.")
            for hashed in users.values():
                self._bcrypt.checkpw(b"", hashed.encode())
            folder = Path(self._file).parent
            named = {key: folder / told[key] for key in _FILE_KEYS if told.get(key)}
            stamps += map(stamp_of, named.values())
            tls = _context(told, named) if told else None
        except (OSError, ValueError, KeyError, AttributeError, TypeError, yaml.YAMLError) as error:
            if isinstance(error, ConfigurationError):
                raise
            raise _refused(
                self._file, f"{type(error).__name__}: {error}",
                "See Prometheus' documentation of the web configuration.",
            ) from error  # fmt: skip
        # All at once: a file that is wrong in its second half must not open the door.
        self._users, self._tls, self._files = users, tls, [Path(self._file), *named.values()]
        self._nobody = next(iter(users.values()), "")
        self._stamps = stamps
        self._admitted = set()

    def tls(self) -> ssl.SSLContext | None:
        """How the next connection is encrypted; files that changed are read again."""
        if self._file:
            try:
                if [stamp_of(file) for file in self._files] != self._stamps:
                    self._load()
            except (OSError, ConfigurationError):
                pass  # half-written, perhaps: as before, until it can be read
        return self._tls

    def knows(self, host: str) -> bool:
        """Whether a request for this host is meant for us.

        Args:
            host: The host, with or without a port, as the request names it.
        """
        if not self._loopback:
            return True
        name = host.rpartition(":")[0] if host.rpartition(":")[2].isdecimal() else host
        name = name.strip("[]").lower()
        return name in {"localhost", self._host} or _is_loopback(name)

    def admits(self, authorization: str) -> bool:
        """Whether an Authorization header has a user with the right password, or the token."""
        if not self._users and self._token is None:
            return True
        scheme, _, coded = authorization.partition(" ")
        if scheme.lower() == "bearer":
            return self._token is not None and self._token.admits(coded)
        if scheme.lower() != "basic" or not self._users:
            return False
        # To hash a password takes as long as it is meant to: once for each that was right.
        seen = hashlib.sha256(coded.encode()).digest()
        if any(hmac.compare_digest(seen, one) for one in self._admitted):
            return True
        try:
            user, _, password = base64.b64decode(coded, validate=True).partition(b":")
            hashed = self._users.get(user.decode())
            # As long for a user that there is not.
            right = self._bcrypt.checkpw(password[:_LONGEST], (hashed or self._nobody).encode())
        except ValueError:
            return False
        if hashed and right:
            self._admitted.add(seen)
        return bool(hashed and right)


_ANY: Final = "0.0.0.0 (every address) with TLS and users by a web configuration"
_LONGEST: Final = 72  # bytes that bcrypt looks at; more are an error of its library


def _context(told: Mapping[str, str], named: Mapping[str, Path]) -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.minimum_version = _VERSIONS[told.get("min_version", "TLS12")]
    context.load_cert_chain(named["cert_file"], named["key_file"])
    if "client_ca_file" in named:
        context.load_verify_locations(named["client_ca_file"])
    context.verify_mode = _CLIENTS[told.get("client_auth_type", "NoClientCert")]
    return context


def _is_loopback(host: str) -> bool:
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host.lower() == "localhost"


def _refused(file: str, problem: str, remedy: str) -> ConfigurationError:
    return ConfigurationError(v.PROMETHEUS_WEB_CONFIG.name, file, problem, remedy)
