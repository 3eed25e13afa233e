"""What `sam build` and the bytecode step leave for deployment."""

from __future__ import annotations

import importlib.util
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Final

import pytest

from local.build import ARTIFACTS, ROOT, SAM_FOLDER, WHEELS, architecture, build, layer_megabytes
from local.lambda_runtime import make_runtime_folder
from local.sam import run_sam
from local.template import Template

pytestmark = [pytest.mark.integration, pytest.mark.xdist_group("stack-life")]

LAYER: Final = ARTIFACTS / "CommonLayer" / "python"
UNCHECKED_HASH: Final = 0b01
# Every interpreter loads a module of the name `sitecustomize`, where there is one.
NOTES_LOOK_UPS: Final = """
import sys
def note(event, arguments):
    if event == "socket.getaddrinfo":
        with open({notes!r}, "a") as notes:
            notes.write(f"{{arguments[0]}}\\n")
        raise OSError("nobody is looked up here")
sys.addaudithook(note)
"""


@pytest.fixture(scope="module", autouse=True)
def _built() -> None:
    build()


def test_every_module_has_bytecode_that_survives_the_zip() -> None:
    """SAM dates every file 1980: only unchecked hashes are believed then (PEP 552: flag word 1)."""
    sources = [path for path in ARTIFACTS.rglob("*.py") if "__pycache__" not in path.parts]
    assert len(sources) > 500
    for source in sources:
        compiled = Path(importlib.util.cache_from_source(str(source)))
        assert compiled.exists(), source
        assert int.from_bytes(compiled.read_bytes()[4:8], "little") == UNCHECKED_HASH, source


def test_no_path_of_this_machine_is_in_the_bytecode() -> None:
    """Two machines must build the same bytes, else every deployment looks like a change."""
    root = str(ARTIFACTS).encode()
    assert not [path for path in ARTIFACTS.rglob("*.pyc") if root in path.read_bytes()]


def test_the_layer_is_small_and_leaves_the_sdk_out() -> None:
    """boto3 is the runtime's own; 30 MB is a third of what bundling it would take."""
    assert layer_megabytes() < 30
    assert not (LAYER / "boto3").exists()
    assert (LAYER / "mono_pipeline" / "__init__.py").exists()
    assert not (LAYER / "python").exists()


def test_only_who_changes_or_reads_the_schema_carries_the_migrations() -> None:
    """With the library that knows which are applied: the ops function, and the hook that looks before any traffic."""
    for function in Template.expand().functions.values():
        carries = {(ARTIFACTS / function.artifact / name).exists() for name in ("alembic", "sqlalchemy", "migrations")}
        assert carries == {function.logical_id in {"Ops", "PreTrafficHook"}}, function.logical_id
    assert list((ARTIFACTS / "Ops" / "migrations").glob("*.sql"))


@pytest.mark.parametrize("function", sorted(Template.expand().functions))
def test_every_handler_loads_from_its_artifact_alone(function: str, tmp_path: Path) -> None:
    """With the layer and the runtime's packages, and nothing of this machine's environment."""
    template = Template.expand().functions[function]
    module, handler = template.handler.split(".")
    path = [ARTIFACTS / template.artifact, LAYER, make_runtime_folder(tmp_path / "runtime")]
    outcome = subprocess.run(  # noqa: S603 - our own interpreter
        [sys.executable, "-S", "-c", f"import {module}; assert callable({module}.{handler})"],
        cwd=ARTIFACTS / template.artifact,
        env={"PYTHONPATH": ":".join(map(str, path)), "AWS_DEFAULT_REGION": "eu-west-1"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert outcome.returncode == 0, outcome.stderr


def test_a_build_from_nothing_asks_nobody(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Set-up has left the packages: `sam build` looks no host up, and none is where an index would be."""
    for source in ("functions", "layers", "migrations"):
        shutil.copytree(ROOT / source, tmp_path / source)
    shutil.copy(ROOT / "template.yaml", tmp_path)
    notes, watching = tmp_path / "notes", tmp_path / "watching"
    watching.mkdir()
    (watching / "sitecustomize.py").write_text(NOTES_LOOK_UPS.format(notes=str(notes)))
    monkeypatch.setenv("PYTHONPATH", str(watching))
    monkeypatch.setenv("PIP_INDEX_URL", "http://index.invalid/simple")
    monkeypatch.setenv("PIP_RETRIES", "0")
    processor = f"Architecture={architecture()}"

    code = run_sam(
        "build", "--no-cached", "--parameter-overrides", processor, cwd=tmp_path, log=tmp_path / "log", wheels=WHEELS
    )

    assert code == 0, (tmp_path / "log").read_text()[-2_000:]
    assert not notes.exists(), notes.read_text()
    assert (tmp_path / ".aws-sam" / "build" / "CommonLayer" / "python" / "pydantic_core").is_dir()


def test_building_again_without_a_change_does_nothing(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """The digest of the inputs decides."""
    monkeypatch.setattr("local.build.inputs_digest", (SAM_FOLDER / "inputs.sha256").read_text)
    build()
    assert capsys.readouterr().out == ""
