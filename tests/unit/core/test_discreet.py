"""What a record hides is in nothing that shows the record."""

from __future__ import annotations

from rich.pretty import pretty_repr

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
