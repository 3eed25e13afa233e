"""What SAM installs into the artifacts is what the lock says, to the hash."""

from __future__ import annotations

import re
import tomllib
from typing import TYPE_CHECKING, Any, Final

import pytest

from local.template import ROOT

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

EXPORTED: Final = {"layer": "layers/common/requirements.txt", "ops": "functions/ops/requirements.txt"}
EXPORT: Final = "uv export --frozen --only-group {} --no-emit-project --no-annotate --no-header --output-file {}"
REQUIREMENT: Final = re.compile(r"^([a-z0-9-]+)==(\S+)")


type Lock = Mapping[tuple[str, str], Mapping[str, Any]]


@pytest.fixture(scope="module")
def lock() -> Lock:
    """The packages of uv.lock by name and version; the stand-in's environment has versions of its own."""
    packages = tomllib.loads((ROOT / "uv.lock").read_text())["package"]
    return {(package["name"], package["version"]): package for package in packages}


def needed(dependencies: Iterable[Mapping[str, str]], lock: Lock) -> Iterator[tuple[str, str]]:
    """Name and version of each dependency that is not the AWS stand-in's alone."""
    for dependency in dependencies:
        name, marker = dependency["name"], dependency.get("marker", "")
        if marker != "extra == 'group-13-mono-pipeline-ministack'":
            versions = [version for other, version in lock if other == name]
            yield name, dependency.get("version") or versions[0]


def locked(lock: Lock, group: str) -> set[tuple[str, str]]:
    """Names and versions of a dependency group and of everything that it needs."""
    (ours,) = (package for (name, _), package in lock.items() if name == "mono-pipeline")
    wanted = list(needed(ours["dev-dependencies"][group], lock))
    found: set[tuple[str, str]] = set()
    while wanted:
        package = wanted.pop()
        if package not in found:
            found.add(package)
            wanted += needed(lock[package].get("dependencies", []), lock)
    return found


@pytest.mark.parametrize("group", sorted(EXPORTED))
def test_the_export_is_the_locked_group(lock: Lock, group: str) -> None:
    """Same names, same versions, each with the lock's hashes."""
    text = (ROOT / EXPORTED[group]).read_text().replace("\\\n", " ")
    lines = [line for line in text.splitlines() if line.strip() and not line.startswith("#")]
    exported = set()
    for line in lines:
        requirement = REQUIREMENT.match(line)
        assert requirement, line
        name, version = requirement.groups()
        exported.add((name, version))
        package = lock[name, version]
        files = [*package.get("wheels", []), package.get("sdist", {})]
        assert set(re.findall(r"--hash=(\S+)", line)) == {file["hash"] for file in files if file}, name
    assert exported == locked(lock, group), f"run: {EXPORT.format(group, EXPORTED[group])}"


def test_the_layer_leaves_the_sdk_to_the_runtime(lock: Lock) -> None:
    """boto3 in the layer would double its size; Alembic and SQLAlchemy are the ops function's alone."""
    layer, ops = ({name for name, _ in locked(lock, group)} for group in ("layer", "ops"))
    assert not {"boto3", "botocore", "alembic", "sqlalchemy"} & layer
    assert {"alembic", "sqlalchemy"} <= ops
