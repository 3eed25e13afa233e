"""What a record hides is in nothing that shows the record."""

from __future__ import annotations

import pkgutil
from importlib import import_module

from rich.pretty import pretty_repr

import mono_pipeline
from mono_pipeline.core.discreet import Discreet


class Guest(Discreet, frozen=True, kw_only=True):
    """A record with a name that is nobody's business."""

    hidden = frozenset({"name"})

    id: str
    name: str
    nights: int = 1


class Regular(Guest, frozen=True, kw_only=True):
    """A record that hides what its base hides."""

    table: str


def test_a_hidden_field_is_neither_in_a_repr_nor_on_a_terminal() -> None:
    """The others are, as any record shows them."""
    guest = Guest(id="g1", name="ADA")

    assert repr(guest) == f"{guest}" == "Guest(id='g1', nights=1)"
    assert pretty_repr(guest) == "Guest(id='g1', nights=1)"
    assert repr([Regular(id="g1", name="ADA", table="t")]) == "[Regular(id='g1', nights=1, table='t')]"


def test_every_name_that_is_hidden_is_a_field() -> None:
    """A slip of the pen would show a secret."""
    for module in pkgutil.walk_packages(mono_pipeline.__path__, "mono_pipeline."):
        import_module(module.name)
    discreet = {each for each in _below(Discreet) if each.__module__.startswith("mono_pipeline.")}

    assert {each.__name__ for each in discreet} >= {"DatabaseAddress", "ListedAccount", "Parameter", "WebhookCall"}
    assert [each.__name__ for each in discreet if not each.hidden or each.hidden - set(each.__struct_fields__)] == []


def _below(record: type[Discreet]) -> set[type[Discreet]]:
    return {each for child in record.__subclasses__() for each in (child, *_below(child))}
