"""Alembic's hook: runs the migrations on the connection that `gateway.store.engine` hands in."""

from __future__ import annotations

from alembic import context

from gateway.store.partitions import is_described
from gateway.store.schema import metadata

context.configure(
    connection=context.config.attributes["connection"],
    target_metadata=metadata,
    render_as_batch=True,
    include_object=is_described,
)
with context.begin_transaction():
    context.run_migrations()
