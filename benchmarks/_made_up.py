"""Makes up whatever the protocol can say: valid values of any of its structs, by what their types say of themselves.

So whoever adds a record or a message has it fuzzed: `RECORDS` are the kinds of `sync.records.Record`, `BODIES` those of
`sync.signed.MessageKind`, whose struct has the kind's name.
"""

from __future__ import annotations

import importlib
import pkgutil
import random
import string
from collections.abc import Callable, Iterator, Mapping, Sequence
from types import ModuleType
from typing import Any, Final, get_args

import msgspec
from msgspec import inspect

import sync
from sync.receipts import Receipt
from sync.records import Record
from sync.signed import MessageKind
from sync.state import BoxState

_FEW = 4
"""Entries of a list whose length has no lower bound; now and then it is as long as may be, if that is not much."""
_MUCH = 512


def made_up(rng: random.Random, kind: inspect.Type, *, known: Sequence[bytes] = ()) -> Any:
    """A value of that type, within its limits, as it goes into MessagePack.

    Bytes of the length of something `known` are it half the time: so that what is named is there.
    """
    match kind:
        case inspect.NoneType():
            return None
        case inspect.BoolType():
            return rng.random() < 0.5
        case inspect.IntType(gt=gt, ge=ge, lt=lt, le=le, multiple_of=step):
            low = ge if ge is not None else gt + 1 if gt is not None else 0
            high = le if le is not None else lt - 1 if lt is not None else 2**31
            found = rng.choice((low, high, min(high, low + 1), rng.randint(low, high)))
            return found - found % step if step else found
        case inspect.FloatType():
            return rng.random()
        case inspect.StrType(max_length=longest):
            length = _length(rng, 0, longest)
            return "".join(rng.choice(string.ascii_letters + "三班\0") for _ in range(length))
        case inspect.BytesType(min_length=shortest, max_length=longest):
            length = _length(rng, shortest or 0, longest)
            like = [one for one in known if len(one) == length]
            return rng.choice(like) if like and rng.random() < 0.5 else rng.randbytes(length)
        case inspect.LiteralType(values=values):
            return rng.choice(values)
        case inspect.EnumType(cls=cls):
            return rng.choice(list(cls)).value
        case inspect.UnionType(types=types):
            return made_up(rng, rng.choice(types), known=known)
        case inspect.TupleType(item_types=types):
            return [made_up(rng, one, known=known) for one in types]
        case (
            inspect.VarTupleType(item_type=one, min_length=shortest, max_length=longest)
            | inspect.ListType(item_type=one, min_length=shortest, max_length=longest)
        ):
            return [made_up(rng, one, known=known) for _ in range(_length(rng, shortest or 0, longest))]
        case inspect.StructType(fields=fields):
            return [made_up(rng, field.type, known=known) for field in fields]
        case _:
            raise TypeError(f"nothing can be made up of {kind}")


def _length(rng: random.Random, shortest: int, longest: int | None) -> int:
    most = _FEW if longest is None else longest
    if rng.random() < 0.02 and most <= _MUCH:
        return most
    return rng.randint(shortest, max(shortest, min(most, _FEW if shortest == 0 else most, _MUCH)))


def _modules() -> list[ModuleType]:
    return [importlib.import_module(f"sync.{module.name}") for module in pkgutil.iter_modules(sync.__path__)]


def _bodies() -> Iterator[tuple[MessageKind, inspect.Type]]:
    """Of each kind of message but the envelope, which is more than a struct."""
    named = {
        name.lower(): value
        for module in _modules()
        for name, value in vars(module).items()
        if isinstance(value, type) and issubclass(value, msgspec.Struct) and value.__struct_config__.array_like
    }
    state = next(value for name, value in vars(importlib.import_module(BoxState.__module__)).items() if name == "_Body")
    for kind in MessageKind:
        if kind is MessageKind.ENVELOPE:
            continue
        if kind is MessageKind.RECEIPTS:
            yield kind, inspect.type_info(tuple[Receipt, ...])
        else:
            yield kind, inspect.type_info(state if kind is MessageKind.STATE else named[kind.name.lower()])


def _decoders() -> Iterator[tuple[MessageKind, Callable[..., object]]]:
    """What opens a whole message of a kind on the gateway's side: `decode_` and the kind's name, somewhere in sync."""
    for module in _modules():
        for kind in MessageKind:
            found = vars(module).get(f"decode_{kind.name.lower()}")
            if found is not None and found.__module__ == module.__name__ and "key" in found.__annotations__:
                yield kind, found


RECORDS: Final[tuple[inspect.Type, ...]] = tuple(inspect.type_info(one) for one in get_args(Record))
BODIES: Final[Mapping[MessageKind, inspect.Type]] = dict(_bodies())
DECODERS: Final[Mapping[MessageKind, Callable[..., object]]] = dict(_decoders())
