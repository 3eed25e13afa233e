"""A secret shows itself to nobody who does not ask by name."""

from __future__ import annotations

import copy
import pickle

import pytest

from mono_pipeline.core.secret import Secret


def test_a_secret_hides_in_every_form_of_text() -> None:
    """And is there for who calls `reveal`."""
    secret = Secret("made up")

    assert (f"{secret}", str(secret), repr([secret])) == ("Secret(hidden)", "Secret(hidden)", "[Secret(hidden)]")
    assert secret.reveal() == "made up"
    assert copy.deepcopy(secret).reveal() == "made up"


def test_a_secret_is_not_written_anywhere() -> None:
    """Not into a queue, a cache or another process."""
    with pytest.raises(TypeError, match=r"^a secret is not written anywhere$"):
        pickle.dumps(Secret("made up"))
