"""The tables, room by room; `gateway.store.schema` is all of them."""
