"""Hypothesis strategies of answers gone wrong, for the tests of the wire."""

from __future__ import annotations

from hypothesis import strategies as st

from tests.unit.wire.wire_pages import envelope, meta, row

# Pieces of JSON that parsers are known to differ on.
odd_text = st.sampled_from(
    [
        *("NaN", "Infinity", "1e400", "1e-400", "9" * 5_000, "-0", "0.10", "0e-99999", "01", "1."),
        *('"\\u0000"', '"\\ud800"', "''", '"\t"', '"'),
        *('{"a":1,"a":2}', "[[[]]]", "[" * 70 + "]" * 70, "[" * 9_000 + "]" * 9_000, "}", ",", "{}", "true", "null"),
    ]
)
any_json = st.recursive(
    st.one_of(st.none(), st.booleans(), st.integers(), st.floats(), st.text(st.characters()), odd_text),
    lambda part: st.one_of(st.lists(part, max_size=4), st.dictionaries(st.text(st.characters()), part, max_size=4)),
    max_leaves=15,
)


@st.composite
def mutated_bodies(draw: st.DrawFn) -> bytes:
    """A good page with values replaced by odd ones and bytes cut, doubled or changed."""
    fields = draw(st.dictionaries(st.sampled_from([*row(), "metadata", "account", "\0"]), any_json, max_size=4))
    facts = draw(st.dictionaries(st.sampled_from([*meta(), "pages"]), any_json, max_size=1))
    outer = draw(st.dictionaries(st.sampled_from(["status", "data", "meta", "message"]), any_json, max_size=1))
    rows = [row(), row(id="other") | fields, draw(any_json)]
    body = envelope(**({"data": rows, "meta": meta() | facts} | outer))
    text = draw(odd_text).encode()
    for _ in range(draw(st.integers(0, 3))):
        start, length = draw(st.integers(0, len(body))), draw(st.integers(0, 8))
        body = (
            body[:start]
            + draw(st.sampled_from([b"", text, b"\xff", body[start : start + length] * 2]))
            + body[start + length :]
        )
    return body
