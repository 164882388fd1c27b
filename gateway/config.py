"""The gateway's configuration: a TOML file, the environment over it, or defaults with which one command works.

Each setting has its name in the environment: `[store] url` is `CLASSGATE_STORE_URL`, `data` is `CLASSGATE_DATA`. With
`_FILE` behind it the value is read from a file, so that a secret need not stand in the environment.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from enum import Flag, auto
from pathlib import Path
from typing import Annotated, Any, Literal, TypeVar
from urllib.parse import urlsplit

import msgspec
from platformdirs import user_data_path

from homework.errors import BadFileError

_Section = TypeVar("_Section", bound=msgspec.Struct)
LOOPBACK = ("127.0.0.1", "localhost", "::1")
"""Names of this machine that reach nobody else."""


class Parts(Flag):
    """What one process of a gateway does. Several may share the work, so that no stack of sheets slows a page down."""

    PAGES = auto()
    BOXES = auto()
    """Takes in what boxes send, sends what they need, serves sticks."""
    ALL = PAGES | BOXES


class WebConfig(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Where the pages listen, `host:port`; port 0 lets the system choose one. See docs/people.md.

    `access` "open" asks nobody who they are: only where nobody but this machine can listen, and there the default.
    `cert` and `key` are PEM files for TLS; `behind_proxy` says that one of ours speaks TLS and stands before it.
    `names` are those under which browsers know the pages. A session ends after `idle_hours` without use and after
    `session_days` at the latest.

    With `shared` several processes of this machine (`--parts pages`) listen on one port, and the system spreads
    visitors over them: one process has no use for more than one core.

    When it is told to end, `/ready` says so for `drain_s` seconds first, so that a load balancer sends nobody new.
    """

    listen: str = "127.0.0.1:8700"
    access: Literal["open", "sign-in"] | None = None
    cert: str | None = None
    key: str | None = None
    behind_proxy: bool = False
    names: tuple[str, ...] = ()
    shared: bool = False
    idle_hours: Annotated[int, msgspec.Meta(ge=1, le=168)] = 12
    session_days: Annotated[int, msgspec.Meta(ge=1, le=90)] = 30
    drain_s: Annotated[float, msgspec.Meta(ge=0, le=300)] = 0.0


class BrokerConfig(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The MQTT broker. `ca`, `cert` and `key` are PEM files for `mqtts`."""

    url: str = "mqtt://127.0.0.1:1883"
    ca: str | None = None
    cert: str | None = None
    key: str | None = None


class StoreConfig(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The database, a SQLAlchemy URL; None is SQLite in the data folder. A server is given so many connections."""

    url: str | None = None
    connections: Annotated[int, msgspec.Meta(ge=4, le=500)] = 10


class StickConfig(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Where memory sticks are mounted. A school's registered stick is served by itself; `[]` serves none.

    With `mounted = false` any folder in them is as good as a stick.
    """

    roots: tuple[str, ...] = ("/media", "/run/media")
    mounted: bool = True


class SsoConfig(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Sign-on through another house's OpenID provider; see docs/sign-on.md. `title` is what people call it.

    Without an issuer there is none. The secret stands here or, better, in a file of its own. `ca` is a PEM file for a
    provider whose certificate no public authority signed.
    """

    issuer: str = ""
    client_id: Annotated[str, msgspec.Meta(max_length=256)] = ""
    client_secret: str | None = None
    client_secret_file: str | None = None
    ca: str | None = None
    title: Annotated[str, msgspec.Meta(max_length=40)] = ""


class MetricsConfig(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """`/metrics` answers this machine, and whoever sends `Authorization: Bearer` with the `token`."""

    token: Annotated[str, msgspec.Meta(min_length=16)] | None = None


class HooksConfig(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Programs that are told when a class has finished; see docs/api.md.

    `allow_private`: also where an address leads into the school's own network or to this machine. `ca` is a PEM file
    for programs whose certificate no public authority signed.
    """

    allow_private: bool = False
    ca: str | None = None


class RetentionConfig(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """How long sheets stay here: so many whole months beside this one; without it, all. See docs/forgetting.md.

    Older months go into the folder `archive` first, where one is named; without one they are let go of. Lines of the
    audit stay for `audit_months` months, without it for ever.
    """

    months: Annotated[int, msgspec.Meta(ge=1, le=240)] | None = None
    archive: str | None = None
    audit_months: Annotated[int, msgspec.Meta(ge=6, le=240)] | None = None


class LogConfig(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What is written to stderr: lines for people, or one JSON object a line for programs that collect them."""

    format: Literal["text", "json"] = "text"
    level: Literal["debug", "info", "warning", "error"] = "warning"


class _File(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    data: str | None = None
    web: WebConfig = WebConfig()
    broker: BrokerConfig = BrokerConfig()
    store: StoreConfig = StoreConfig()
    stick: StickConfig = StickConfig()
    sso: SsoConfig = SsoConfig()
    metrics: MetricsConfig = MetricsConfig()
    hooks: HooksConfig = HooksConfig()
    retention: RetentionConfig = RetentionConfig()
    log: LogConfig = LogConfig()


class GatewayConfig(msgspec.Struct, frozen=True, kw_only=True):
    """What a gateway needs to know. `data` holds the key file and, unless `store_url` says otherwise, the database."""

    data: Path
    host: str
    port: int
    broker: BrokerConfig
    store_url: str
    store_connections: int = 10
    stick: StickConfig = StickConfig()
    sso: SsoConfig | None = None
    web: WebConfig = WebConfig()
    metrics: MetricsConfig = MetricsConfig()
    hooks: HooksConfig = HooksConfig()
    retention: RetentionConfig = RetentionConfig()
    log: LogConfig = LogConfig()


PREFIX = "CLASSGATE_"
_NOT_SETTINGS = frozenset({"CLASSGATE_CONFIG"})
"""Names that the command line reads itself."""


def load_config(path: Path | None, environment: Mapping[str, str] | None = None) -> GatewayConfig:
    """The configuration of a file, or the defaults for None, with what `environment` says over it.

    Relative paths start at the file's folder, or here. `environment` is this process's own unless one is given.

    Raises `BadFileError` when the file is missing, is not TOML, or when it or the environment says something that we
    don't know.
    """
    base = Path.cwd() if path is None else path.resolve().parent
    values: dict[str, Any] = {} if path is None else _read(path)
    file = _with_environment(values, os.environ if environment is None else environment)
    data = user_data_path("classgate") if file.data is None else base / Path(file.data).expanduser()
    host, port = _listen(file.web.listen)
    pages = _with_files_from(base, file.web, "cert", "key")
    _check_access(pages, host)
    return GatewayConfig(
        data=data,
        host=host,
        port=port,
        web=pages,
        metrics=file.metrics,
        hooks=_with_files_from(base, file.hooks, "ca"),
        retention=_with_files_from(base, file.retention, "archive"),
        log=file.log,
        broker=_with_files_from(base, file.broker, "ca", "cert", "key"),
        stick=file.stick,
        sso=_sso(_with_files_from(base, file.sso, "client_secret_file", "ca")),
        store_connections=file.store.connections,
        store_url=file.store.url or f"sqlite+aiosqlite:///{data / 'classgate.sqlite'}",
    )


def _read(path: Path) -> dict[str, Any]:
    try:
        values: dict[str, Any] = msgspec.toml.decode(path.read_bytes())
        msgspec.convert(values, _File)
    except OSError as error:
        raise BadFileError(
            "The configuration {path} cannot be read: {reason}.",
            remedy="Check the path, or leave --config out to use the defaults.",
            path=path,
            reason=error.strerror,
        ) from error
    except (msgspec.ValidationError, msgspec.DecodeError, UnicodeDecodeError) as error:
        raise BadFileError(
            "The configuration {path} has a mistake: {reason}.",
            remedy="See docs/gateway.md for what it may say.",
            path=path,
            reason=error,
        ) from error
    return values


def _with_environment(values: dict[str, Any], environment: Mapping[str, str]) -> _File:
    """What the file says, with each setting that the environment names put in its place."""
    known = dict(_settings())
    for name in sorted(environment):
        if not name.startswith(PREFIX) or name in _NOT_SETTINGS:
            continue
        place = known.get(name) or known.get(name.removesuffix("_FILE"))
        if place is None:
            raise BadFileError(
                "The environment sets {name}, which is no setting.",
                remedy="Unset it, or correct it: [store] url is CLASSGATE_STORE_URL. See docs/operations.md.",
                name=name,
            )
        section, key, listed = place
        text = environment[name] if name in known else _secret(name, environment[name])
        value: Any = [part for part in text.split(",") if part] if listed else text
        target = values if section is None else values.setdefault(section, {})
        target[key] = value
    try:
        return msgspec.convert(values, _File, strict=False)
    except msgspec.ValidationError as error:
        raise BadFileError(
            "The environment has a mistake: {reason}.",
            remedy="The names CLASSGATE_… stand for the settings of gateway.toml. See docs/operations.md.",
            reason=error,
        ) from error


def _settings() -> list[tuple[str, tuple[str | None, str, bool]]]:
    """Each setting's name in the environment, with section, key, and whether it is a list (parts between commas)."""
    found: list[tuple[str, tuple[str | None, str, bool]]] = []
    for field in msgspec.structs.fields(_File):
        if isinstance(field.type, type) and issubclass(field.type, msgspec.Struct):
            found += [
                (f"{PREFIX}{field.name}_{key.name}".upper(), (field.name, key.encode_name, "tuple" in str(key.type)))
                for key in msgspec.structs.fields(field.type)
            ]
        else:
            found.append((f"{PREFIX}{field.name}".upper(), (None, field.encode_name, False)))
    return found


def _secret(name: str, path: str) -> str:
    try:
        return Path(path).read_text(encoding="utf-8").strip()
    except (OSError, UnicodeDecodeError) as error:
        raise BadFileError(
            "{name} names the file {path}, which cannot be read: {reason}.",
            remedy="Check the path, and that the program may read it.",
            name=name,
            path=path,
            reason=error,
        ) from error


def _listen(text: str) -> tuple[str, int]:
    host, _, port = text.rpartition(":")
    if not host or not port.isdigit() or int(port) > 65535:
        raise BadFileError(
            "[web] listen = “{text}” is not host:port.", remedy='Write it like listen = "127.0.0.1:8700".', text=text
        )
    return host.strip("[]"), int(port)


def is_open(pages: WebConfig, host: str) -> bool:
    """Whether the pages ask nobody who they are."""
    if pages.access is not None:
        return pages.access == "open"
    return host in LOOPBACK and not pages.behind_proxy


def _check_access(pages: WebConfig, host: str) -> None:
    """Raises `BadFileError` for a way in through which passwords or names would lie open."""
    reached = host not in LOOPBACK or pages.behind_proxy
    if pages.access == "open" and reached:
        raise BadFileError(
            '[web] access = "open" would show every name to everybody who reaches {host}.',
            remedy='Leave it out: people sign in. Open is only for listen = "127.0.0.1:…" without a proxy before it.',
            host=host,
        )
    if (pages.cert is None) != (pages.key is None):
        raise BadFileError("[web] names one of cert and key without the other.", remedy="Name both PEM files.")
    if host not in LOOPBACK and pages.cert is None and not pages.behind_proxy:
        raise BadFileError(
            "[web] listen on {host} without TLS would send every password readably through the network.",
            remedy="Name cert and key, or say behind_proxy = true where a proxy of yours speaks TLS; or listen on "
            '"127.0.0.1:8700".',
            host=host,
        )
    if pages.behind_proxy and not pages.names:
        raise BadFileError(
            "[web] behind_proxy needs the name under which browsers know the pages.",
            remedy='Write it like names = ["classbox.example.cn"].',
        )


def _sso(section: SsoConfig) -> SsoConfig | None:
    if not section.issuer:
        return None
    if not section.client_id:
        raise BadFileError(
            "[sso] names an issuer and no client_id.",
            remedy="Write the client_id that the provider gave to this place.",
        )
    return msgspec.structs.replace(section, title=section.title or urlsplit(section.issuer).netloc[:40])


def _with_files_from(base: Path, section: _Section, *names: str) -> _Section:
    """A section whose files `names` start at the configuration's folder."""
    places = {name: getattr(section, name) for name in names}
    return msgspec.structs.replace(
        section, **{name: str(base / Path(place).expanduser()) for name, place in places.items() if place is not None}
    )
