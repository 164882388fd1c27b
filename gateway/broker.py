"""The mosquitto that this gateway set up: its folder, and who may come in.

What it was last told to be is kept in the data folder, so that a box can be locked out later by its name alone.
"""

from __future__ import annotations

import grp
import os
import shutil
import signal
from collections.abc import Iterator, Mapping
from contextlib import suppress
from datetime import datetime
from pathlib import Path

import msgspec

from homework.errors import BadFileError, ClassboxError, UsageError
from provisioning.authority import Authority, Issued
from provisioning.mosquitto import BrokerPlan, access_list, configuration
from sync.whole_files import write_whole

CONFIGURATION = "mosquitto.conf"
_PLAN = "broker.json"
_PROGRAM = "mosquitto"
"""The program, and on Debian the group that it runs under."""


class GatewayFiles(msgspec.Struct, frozen=True):
    """Where the gateway's own certificate lies: what belongs under `[broker]` in its configuration."""

    ca: Path
    cert: Path
    key: Path


def open_authority(data: Path, *, now: datetime) -> Authority:
    """The authority in a gateway's data folder, made when there is none. Raises `ClassboxError`."""
    return Authority.open(_authority_folder(data), now=now)


def set_up(data: Path, plan: BrokerPlan, *, now: datetime) -> GatewayFiles:
    """Write all that the broker needs into its folder, and the gateways' certificates into the data folder.

    Returns where the first gateway's lies; of the second `gateway-2.crt` and `gateway-2-certificate.key`, and so on.
    Raises `UsageError` for an address that is none, `ClassboxError` when something cannot be written.
    """
    authority = open_authority(data, now=now)
    broker = authority.for_broker(plan.addresses, now=now)
    public = {CONFIGURATION: configuration(plan), "ca.crt": authority.certificate, "broker.crt": broker.certificate}
    _put(
        plan.folder,
        {**public, "broker.key": _key(broker), **_who_may_come_in(authority, plan, now=now)},
        group=_group(),
    )
    _put(data, {"broker-ca.crt": authority.certificate})
    for number in range(plan.gateways, 0, -1):
        again = "" if number == 1 else f"-{number}"
        mine = GatewayFiles(
            data / "broker-ca.crt", data / f"gateway{again}.crt", data / f"gateway{again}-certificate.key"
        )
        gateway = authority.for_gateway(number, now=now)
        _put(data, {mine.key.name: _key(gateway), mine.cert.name: gateway.certificate})
    _put(data, {_PLAN: msgspec.json.encode(plan, enc_hook=str)})
    return mine


def certify(data: Path, school: str, box: str, folder: Path, *, now: datetime, request: bytes | None = None) -> Issued:
    """Put a new certificate for a box into a new folder: `ca.crt`, `box.crt` and, without a `request`, `box.key`.

    Raises `UsageError` for a folder that is there already, `BadFileError` for a request that is none, `ClassboxError`
    when the folder cannot be written.
    """
    if folder.exists():
        raise UsageError(
            "There is already something at {path}.", remedy="Choose a new folder; nothing is overwritten.", path=folder
        )
    authority = open_authority(data, now=now)
    issued = authority.for_box(school, box, now=now, request=request)
    made = {} if issued.key is None else {"box.key": issued.key}
    _put(folder, {"ca.crt": authority.certificate, "box.crt": issued.certificate, **made})
    _told(data, authority, now=now)  # it may have been locked out under the one before
    return issued


def lock_out(data: Path, school: str, box: str, *, now: datetime) -> bool | None:
    """Take back every certificate of a box, and tell the broker; its open connection can do nothing any more either.

    Whether a running broker was told; None for a gateway that never set one up. Raises `ClassboxError` when something
    cannot be written.
    """
    if not _authority_folder(data).exists():
        return None
    authority = open_authority(data, now=now)
    for serial in authority.serials_of(school, box):
        authority.revoke(serial, now=now)
    return _told(data, authority, now=now)


def locked_out(data: Path, *, now: datetime) -> tuple[tuple[str, str], ...]:
    """The boxes (school, box) all of whose certificates were taken back."""
    return open_authority(data, now=now).denied() if _authority_folder(data).exists() else ()


def readable(plan: BrokerPlan) -> bool:
    """Whether Debian's mosquitto, which does not stay root, can read its folder's files."""
    return _group() is not None and (plan.folder / "broker.key").stat().st_gid == _group()


def _authority_folder(data: Path) -> Path:
    return data / "authority"


def _told(data: Path, authority: Authority, *, now: datetime) -> bool | None:
    try:
        plan = msgspec.json.decode((data / _PLAN).read_bytes(), type=BrokerPlan, dec_hook=lambda kind, raw: kind(raw))
    except FileNotFoundError:
        return None
    except (OSError, msgspec.DecodeError) as error:
        raise BadFileError(
            "{path} cannot be read: {reason}.",
            remedy="Write the broker's files again with `classgate broker write`.",
            path=data / _PLAN,
            reason=error,
        ) from error
    _put(plan.folder, _who_may_come_in(authority, plan, now=now), group=_group())
    told = False
    for process in _running(plan.folder / CONFIGURATION):
        with suppress(PermissionError, ProcessLookupError):
            os.kill(process, signal.SIGHUP)
            told = True
    return told


def _who_may_come_in(authority: Authority, plan: BrokerPlan, *, now: datetime) -> dict[str, bytes]:
    return {"acl": access_list(authority.denied(), gateways=plan.gateways), "crl.pem": authority.revocations(now=now)}


def _key(issued: Issued) -> bytes:
    assert issued.key is not None  # the authority made it
    return issued.key


def _group() -> int | None:
    """The group of this machine's mosquitto; None where there is none, or where we may not give it anything."""
    try:
        return grp.getgrnam(_PROGRAM).gr_gid if os.geteuid() == 0 else None
    except KeyError:
        return None


def _put(folder: Path, files: Mapping[str, bytes], *, group: int | None = None) -> None:
    """Write files for their owner only, or for `group` to read as well."""
    mode = 0o600 if group is None else 0o640
    try:
        folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        if group is not None:
            shutil.chown(folder, group=group)
            folder.chmod(0o2750)  # what is made in it is the group's from its first moment on
        for name, body in files.items():
            write_whole(folder / name, body, mode=mode)
            (folder / name).chmod(mode)  # whatever the umask says
    except OSError as error:
        raise ClassboxError(
            "{path} cannot be written: {reason}.",
            remedy="Check that the disk has room and that the folder is yours.",
            path=folder,
            reason=error.strerror,
        ) from error


def _running(configuration: Path) -> Iterator[int]:
    """The process numbers of every mosquitto on this machine that was started with a configuration."""
    for process in Path("/proc").glob("[0-9]*"):
        with suppress(OSError):  # it has just ended
            words = (process / "cmdline").read_bytes().split(b"\0")
            if Path(os.fsdecode(words[0])).name == _PROGRAM and os.fsencode(configuration) in words:
                yield int(process.name)
