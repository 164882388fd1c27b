"""A database as the program of an older revision left it."""

from collections.abc import Callable
from pathlib import Path

from alembic import command
from alembic.config import Config
from sqlalchemy import Connection, create_engine

from gateway.store import migrations


def make_database(file: Path, revision: str) -> None:
    """An empty one."""
    _move(file, revision, command.upgrade)


def take_back(file: Path, revision: str) -> None:
    """One that a newer program made."""
    _move(file, revision, command.downgrade)


def _move(file: Path, revision: str, step: Callable[[Config, str], None]) -> None:
    engine = create_engine(f"sqlite:///{file}")
    with engine.begin() as connection:
        move(connection, revision, step)
    engine.dispose()


def move(connection: Connection, revision: str, step: Callable[[Config, str], None]) -> None:
    """Bring the schema up (`command.upgrade`) or back (`command.downgrade`) to a revision."""
    config = Config()
    config.set_main_option("script_location", str(Path(migrations.__file__).parent))
    config.attributes["connection"] = connection
    step(config, revision)
