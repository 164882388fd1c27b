"""`box.toml`: how one box is set up. Every value has a default, so that a box without the file works too."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal

import msgspec
import platformdirs

from homework.errors import BadFileError

DEFAULT_LISTEN = "127.0.0.1:8601"
_REMEDY = "Correct the line, or remove it to get the default."


class WebConfig(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Where the live page listens: `host:port`, port 0 for any free one, and who may see it (docs/access.md).

    `access` and `tls` make a box that listens on a loopback address as careful as any other one. `names` are names that
    the school gave it. `metrics_token` lets a monitoring system read `/metrics` from another machine.
    """

    listen: str = DEFAULT_LISTEN
    access: Literal["auto", "pin"] = "auto"
    tls: Literal["auto", "on"] = "auto"
    names: tuple[str, ...] = ()
    idle_hours: Annotated[int, msgspec.Meta(ge=1, le=24 * 30)] = 12
    session_days: Annotated[int, msgspec.Meta(ge=1, le=365)] = 30
    metrics_token: Annotated[str, msgspec.Meta(min_length=16)] | None = None


class LogConfig(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What is written down in the data folder: `level`, and how much is kept, in `files` of `max_kb` each."""

    level: Literal["debug", "info", "warning", "error"] = "info"
    max_kb: Annotated[int, msgspec.Meta(ge=16, le=100_000)] = 1024
    files: Annotated[int, msgspec.Meta(ge=1, le=50)] = 5


class BrokerConfig(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The school's broker. Without a `url` (and an enrolled identity) the box works for itself."""

    url: str | None = None
    ca: str | None = None
    cert: str | None = None
    key: str | None = None


class CameraConfig(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Where pages come from (see `edge/camera/sources.py`); none: the box only shows and syncs."""

    source: str | None = None


class ReadingConfig(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """How paper is read. `red`: whose the red ink is; `pupil` where the school lets them correct in red."""

    red: Literal["teacher", "pupil"] = "teacher"


class SoundConfig(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """`speaker`: every sheet sounds from the box's own loudspeaker, besides the pages that were given a voice."""

    speaker: bool = False


class KeepConfig(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """How long pictures stay once the school has them, and what the disk is to have free.

    With less than `short_mb` pictures that the school has go sooner; the last `reserve_mb` are for results alone.
    """

    days: Annotated[int, msgspec.Meta(ge=1)] = 30
    short_mb: Annotated[int, msgspec.Meta(ge=0)] = 1000
    reserve_mb: Annotated[int, msgspec.Meta(ge=0)] = 200


class SyncConfig(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What goes over the line to the school.

    `crops`: small pictures of answers that the box has doubts about. `monthly_mb`: so many megabytes (of a million
    bytes) a month at most, both ways; without it nothing is counted.
    """

    crops: bool = True
    monthly_mb: Annotated[float, msgspec.Meta(ge=3)] | None = None


class StickConfig(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Where memory sticks are mounted: folders that hold one folder a stick, or one a user.

    With `mounted = false` any folder in them is as good as a stick for the second copy: a network drive's, say.
    """

    roots: tuple[str, ...] = ("/media", "/run/media")
    mounted: bool = True


class BoxConfig(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """Everything of `box.toml`. `data` is the folder that holds all that the box knows."""

    data: str = ""
    school: str = "school"
    box: str = "box"
    class_name: str | None = msgspec.field(default=None, name="class")
    web: WebConfig = WebConfig()
    broker: BrokerConfig = BrokerConfig()
    camera: CameraConfig = CameraConfig()
    reading: ReadingConfig = ReadingConfig()
    sound: SoundConfig = SoundConfig()
    sync: SyncConfig = SyncConfig()
    stick: StickConfig = StickConfig()
    keep: KeepConfig = KeepConfig()
    log: LogConfig = LogConfig()

    @property
    def data_dir(self) -> Path:
        """The data folder; the user's data folder when nothing says otherwise."""
        return Path(self.data) if self.data else default_data_dir()

    def listen_address(self) -> tuple[str, int]:
        """Host and port to listen on. Raises `BadFileError` for anything that is not `host:port`."""
        host, colon, port = self.web.listen.rpartition(":")
        if not colon or not host or not port.isdecimal() or int(port) > 65535:
            raise BadFileError(
                "`{listen}` is not an address to listen on.",
                remedy="Write it as `{usual}`.",
                listen=self.web.listen,
                usual=DEFAULT_LISTEN,
            )
        return host.strip("[]"), int(port)


def default_data_dir() -> Path:
    """Where data lives when no configuration says."""
    return platformdirs.user_data_path("classbox")


def load_config(path: Path | None = None, *, data: Path | None = None) -> BoxConfig:
    """The configuration in `path`, or the default; `data`, when given, outranks the file's.

    A relative `data`, certificate or key in the file is meant from the file's own folder. Raises `BadFileError`.
    """
    config = BoxConfig()
    if path is not None:
        try:
            config = msgspec.toml.decode(path.read_bytes(), type=BoxConfig)
        except OSError as error:
            raise BadFileError(
                "{path} cannot be read: {reason}.",
                remedy="Name a file that exists with --config.",
                path=path,
                reason=error.strerror,
            ) from error
        except (msgspec.DecodeError, UnicodeDecodeError) as error:
            raise BadFileError("{path} is not right: {reason}.", remedy=_REMEDY, path=path, reason=error) from error
        config = _from_its_folder(config, path.parent)
    if data is not None:
        config = msgspec.structs.replace(config, data=str(data))
    config.listen_address()
    return config


def _from_its_folder(config: BoxConfig, folder: Path) -> BoxConfig:
    def absolute(text: str | None) -> str | None:
        return str(folder / Path(text).expanduser()) if text else text

    broker = config.broker
    return msgspec.structs.replace(
        config,
        data=absolute(config.data) or "",
        broker=msgspec.structs.replace(
            broker, ca=absolute(broker.ca), cert=absolute(broker.cert), key=absolute(broker.key)
        ),
    )
