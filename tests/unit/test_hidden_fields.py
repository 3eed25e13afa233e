"""What the layer's records hide, they have."""

from __future__ import annotations

import pkgutil
from importlib import import_module

import mono_pipeline
from mono_pipeline.core.discreet import Discreet


def test_every_name_that_is_hidden_is_a_field() -> None:
    """A slip of the pen would show a secret."""
    for module in pkgutil.walk_packages(mono_pipeline.__path__, "mono_pipeline."):
        import_module(module.name)
    records = {each for each in _below(Discreet) if each.__module__.startswith("mono_pipeline.")}

    assert {each.__name__ for each in records} >= {"DatabaseAddress", "ListedAccount", "Parameter", "WebhookCall"}
    assert [each.__name__ for each in records if not each.hidden or each.hidden - set(each.__struct_fields__)] == []


def _below(record: type[Discreet]) -> set[type[Discreet]]:
    return {each for child in record.__subclasses__() for each in (child, *_below(child))}
