"""`classgate broker`: the files with which mosquitto lets nobody in but the gateway and its boxes."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

import click

from gateway.broker import CONFIGURATION, readable, set_up
from gateway.commands.options import config_option
from gateway.config import load_config
from provisioning.mosquitto import BrokerPlan
from ui.language import terminal_language, translator


@click.group(name="broker")
def command() -> None:
    """Set mosquitto up so that boxes need a certificate, and each has topics of its own.

    Example: classgate broker write /etc/classgate/broker --address 192.168.1.10
    """


@command.command()
@click.argument("folder", type=click.Path(path_type=Path, file_okay=False))
@click.option("--address", "addresses", multiple=True, required=True, help="Where boxes find it; may be repeated.")
@click.option("--port", default=8883, show_default=True, type=click.IntRange(1, 65535), help="Where it listens.")
@click.option("--gateways", default=1, show_default=True, type=click.IntRange(1, 64), help="That share one database.")
@config_option
def write(folder: Path, addresses: tuple[str, ...], port: int, gateways: int, config_path: Path | None) -> None:
    """Write mosquitto's configuration, access list and certificate into FOLDER, and a certificate for the gateway.

    \b
    Example: classgate broker write /etc/classgate/broker --address broker.school.example --address 192.168.1.10
    """  # noqa: D301 - \b is click's
    _ = translator(terminal_language()).gettext
    plan = BrokerPlan(folder=folder.absolute(), addresses=addresses, port=port, gateways=gateways)
    mine = set_up(load_config(config_path).data, plan, now=datetime.now(UTC))
    print(_("Start the broker: mosquitto -c {path}").format(path=plan.folder / CONFIGURATION))
    if not readable(plan):
        print(_("The user that mosquitto runs under has to be able to read {folder}.").format(folder=plan.folder))
    if gateways > 1:
        print(
            _(
                "Each gateway needs gateway.key, broker-ca.crt and its own files (gateway-2.crt …) from {folder}."
            ).format(folder=mine.ca.parent)
        )
    print(_("Put this into the gateway's configuration:"))
    print(f'[broker]\nurl = "mqtts://{_in_url(addresses[0])}:{port}"')
    print(f'ca = "{mine.ca}"\ncert = "{mine.cert}"\nkey = "{mine.key}"')


def _in_url(address: str) -> str:
    return f"[{address}]" if ":" in address else address
