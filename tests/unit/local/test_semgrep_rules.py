"""The rules of this house find what they are for: a rule that can match nothing would be green for ever."""

from __future__ import annotations

import json
import subprocess
from typing import TYPE_CHECKING, Final

import pytest
import yaml

from local.static_checks import TOOLS, environment
from local.template import ROOT

if TYPE_CHECKING:
    from pathlib import Path

RULES: Final = ROOT / "security" / "semgrep.yaml"
# By file: lines, each with the rule that finds something in it, or None.
EXAMPLES: Final[dict[str, list[tuple[str, str | None]]]] = {
    "layers/common/compares.py": [
        ("import hmac", None),
        ("def right(given, expected_signature, secret, token, kind):", None),
        ("    if given == expected_signature:", "secrets-are-compared-in-constant-time"),
        ("        return True", None),
        ("    if secret != given:", "secrets-are-compared-in-constant-time"),
        ("        return False", None),
        ("    if given.token == token:", "secrets-are-compared-in-constant-time"),
        ("        return True", None),
        ("    if kind == given:", None),
        ("        return True", None),
        ("    return hmac.compare_digest(given, secret)", None),
    ],
    "functions/asks.py": [
        ("def ask(db, table, who):", None),
        ('    db.rows(f"SELECT * FROM {table}")', "no-sql-from-text"),
        ('    db.row("SELECT * FROM %s" % table)', "no-sql-from-text"),
        ('    db.rows("SELECT * FROM " + table)', "no-sql-from-text"),
        ('    db.row("SELECT * FROM {}".format(table), who=who)', "no-sql-from-text"),
        ('    db.rows("SELECT * FROM accounts WHERE id = :who", who=who)', None),
    ],
    "layers/common/mono_pipeline/adapters/sql/limits.sql": [
        ("-- name: limited", "no-session-settings"),
        ("-- Sets a limit.", None),
        ("SET statement_timeout = '5s';", None),
        ("SET LOCAL lock_timeout = '5s';", None),
        ("UPDATE accounts", None),
        ("SET name = 'x';", None),
    ],
    "monoctl/catches.py": [
        ("def first():", None),
        ("    try:", "no-broad-except"),
        ("        work()", None),
        ("    except Exception:", None),
        ("        pass", None),
        ("def second():", None),
        ("    try:", "no-broad-except"),
        ("        work()", None),
        ("    except:", None),
        ("        return []", None),
        ("def third():", None),
        ("    try:", None),
        ("        work()", None),
        ("    except ValueError:", None),
        ("        raise", None),
    ],
    "functions/asks_mono.py": [('headers = {"mono-sec-key": "x"}', "mono-is-asked-by-its-client-alone")],
    "layers/common/mono_pipeline/adapters/mono_client.py": [('headers = {"mono-sec-key": "x"}', None)],
    "tests/of_ours.py": [("ok = secret == given_secret", None)],
}


def test_each_rule_finds_what_it_is_for_and_leaves_the_rest(tmp_path: Path) -> None:
    """As `make check` runs them, over a tree that is laid out as ours is."""
    semgrep = TOOLS / "semgrep"
    if not semgrep.exists():
        pytest.skip("the checks have no environment yet: local/setup.sh checks")
    expected = set()
    for name, lines in EXAMPLES.items():
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text("".join(f"{line}\n" for line, _ in lines))
        expected |= {(name, number, rule) for number, (_, rule) in enumerate(lines, 1) if rule}
    command = [
        str(semgrep),
        "scan",
        "--config",
        str(RULES),
        "--metrics=off",
        "--disable-version-check",
        "--json",
        "-q",
        ".",
    ]

    done = subprocess.run(command, cwd=tmp_path, env=environment(), capture_output=True, text=True, check=False)  # noqa: S603 - ours

    found = {
        (each["path"].removeprefix("./"), each["start"]["line"], each["check_id"].rsplit(".", 1)[-1])
        for each in json.loads(done.stdout)["results"]
    }
    assert found == expected
    assert {rule for _, _, rule in expected} == {rule["id"] for rule in yaml.safe_load(RULES.read_text())["rules"]}
