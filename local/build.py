"""The Lambda artifacts: `sam build` for this machine's processor, offline, then bytecode; skipped when nothing changed.

`python -m local.build` leaves them in `.aws-sam/build`, one folder per function and layer.
"""

from __future__ import annotations

import fcntl
import hashlib
import platform
import subprocess
import sys
import time
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Final

from local.child import tail
from local.sam import run_sam

if TYPE_CHECKING:
    from collections.abc import Iterator

ROOT: Final = Path(__file__).resolve().parent.parent
SAM_FOLDER: Final = ROOT / ".aws-sam"
ARTIFACTS: Final = SAM_FOLDER / "build"
WHEELS: Final = ROOT / ".local" / "wheels"  # by local/setup.sh: what others made of the artifacts for this processor
_STAMP: Final = SAM_FOLDER / "inputs.sha256"
_LOG: Final = SAM_FOLDER / "build.log"
_SOURCES: Final = ("template.yaml", "functions", "layers/common", "migrations", "local/build.py", "local/sam.py")
_NOT_SOURCE: Final = {"__pycache__", ".mypy_cache", ".ruff_cache"}
_MEGABYTE: Final = 1_000_000


def build() -> Path:
    """Make sure that the artifacts are those of the sources, and return their folder.

    Several processes may call it at once: one builds, the others wait.

    Raises:
        RuntimeError: SAM or the compiler failed; the end of the log is in the message.
    """
    SAM_FOLDER.mkdir(exist_ok=True)
    with _alone():
        wanted = inputs_digest()
        if _STAMP.exists() and _STAMP.read_text() == wanted:
            return ARTIFACTS
        _STAMP.unlink(missing_ok=True)
        with _announced(f"sam build for {architecture()}"):
            _sam_build()
        with _announced("bytecode"):
            compile_artifacts(ARTIFACTS)
        _STAMP.write_text(wanted)
        print(f"build: layer {layer_megabytes():.1f} MB unzipped (Lambda's limit is 250 MB)", flush=True)
    return ARTIFACTS


def architecture() -> str:
    """This machine's processor, in Lambda's words."""
    return "arm64" if platform.machine() in ("aarch64", "arm64") else "x86_64"


def inputs_digest() -> str:
    """A digest over everything that the artifacts are made from."""
    digest = hashlib.sha256(f"{sys.version} {architecture()}".encode())
    for path in _source_files():
        digest.update(f"\0{path.relative_to(ROOT)}\0".encode())
        digest.update(hashlib.sha256(path.read_bytes()).digest())
    return digest.hexdigest()


def layer_megabytes() -> float:
    """Unzipped size of the layer, in MB (10^6 bytes)."""
    layer = ARTIFACTS / "CommonLayer"
    return sum(path.stat().st_size for path in layer.rglob("*") if path.is_file()) / _MEGABYTE


def _source_files() -> Iterator[Path]:
    for name in _SOURCES:
        source = ROOT / name
        for path in [source] if source.is_file() else sorted(source.rglob("*")):
            if path.is_file() and not _NOT_SOURCE & set(path.parts):
                yield path


def _sam_build() -> None:
    code = run_sam(
        "build",
        "--cached",
        "--config-env",
        "local",
        "--parameter-overrides",
        f"Architecture={architecture()}",
        cwd=ROOT,
        log=_LOG,
        wheels=WHEELS,
    )
    if code:
        raise RuntimeError(f"sam build failed with code {code} (all of it: {_LOG}):\n{tail(_LOG)}")


def compile_artifacts(folder: Path) -> None:
    """Give every artifact in `folder` its bytecode.

    Raises:
        RuntimeError: something does not compile.
    """
    # SAM's zip dates every file 1980, which makes dated bytecode stale; only unchecked hashes survive it. Run inside
    # each folder, so that no path of this machine gets into the bytecode and two builds are byte-identical.
    for artifact in sorted(path for path in folder.iterdir() if path.is_dir()):
        outcome = subprocess.run(
            [sys.executable, "-m", "compileall", "-q", "-j", "0", "--invalidation-mode", "unchecked-hash", "."],
            cwd=artifact,
            capture_output=True,
            text=True,
            check=False,
        )
        if outcome.returncode:
            raise RuntimeError(f"bytecode of {artifact.name}: {outcome.stdout}{outcome.stderr}")


@contextmanager
def _alone() -> Iterator[None]:
    with (SAM_FOLDER / "lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield


@contextmanager
def _announced(step: str) -> Iterator[None]:
    print(f"build: {step} ... ", end="", flush=True)
    started = time.monotonic()
    yield
    print(f"{time.monotonic() - started:.1f} s", flush=True)


def main() -> int:
    """Build; 0 when the artifacts are there."""
    try:
        build()
    except RuntimeError as failure:
        print(f"\nbuild: {failure}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
