"""`make reproducible`: two builds from nothing for the processor that is deployed; are they the same bytes?

A build that differs by itself would publish a new version of every function at each deployment, and nobody could tell
from a digest what runs. Writes `.local/reproducible.json`.
"""

from __future__ import annotations

import hashlib
import sys
import time
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Final

from local.build import compile_artifacts
from local.results import ResultRow, passed, write_results
from local.sam import run_sam
from local.template import ROOT

LARGEST_LAYER: Final = 30.0  # MB (10^6 bytes) unzipped
_MEGABYTE: Final = 1_000_000


def built(folder: Path, *, architecture: str) -> dict[str, str]:
    """Build everything into `folder` and return the SHA-256 of each file of each artifact.

    Raises:
        RuntimeError: SAM or the compiler failed.
    """
    log = folder / "build.log"
    artifacts = folder / "build"
    if run_sam(
        "build",
        "--no-cached",
        "--build-dir",
        str(artifacts),
        "--parameter-overrides",
        f"Architecture={architecture}",
        cwd=ROOT,
        log=log,
    ):
        raise RuntimeError(f"sam build failed:\n{log.read_text()[-2_000:]}")
    compile_artifacts(artifacts)
    return {
        str(path.relative_to(artifacts)): hashlib.sha256(path.read_bytes()).hexdigest()
        for path in sorted(artifacts.rglob("*"))
        if path.is_file() and path.parent != artifacts  # the template that SAM writes beside them names the folder
    }


def megabytes(folder: Path) -> float:
    """Size of what is in a folder, in MB."""
    return sum(path.stat().st_size for path in folder.rglob("*") if path.is_file()) / _MEGABYTE


def main() -> int:
    """Build twice, compare, and say which files differ; 0 when none does and the layer is small."""
    began = time.monotonic()
    with TemporaryDirectory(prefix="first-") as first, TemporaryDirectory(prefix="second-build-") as second:
        one = built(Path(first), architecture="arm64")
        two = built(Path(second), architecture="arm64")
        layer = megabytes(Path(first) / "build" / "CommonLayer")
    different = sorted(name for name in one.keys() | two.keys() if one.get(name) != two.get(name))
    for name in different[:20]:
        print(f"differs: {name}")
    rows = [
        ResultRow(
            id="same-bytes",
            what=f"files that differ, of {len(one)}",
            value=len(different),
            unit="files",
            goal=0,
            ok=not different,
        ),
        ResultRow(
            id="layer",
            what="the arm64 layer, unzipped",
            value=round(layer, 1),
            unit="MB",
            goal=LARGEST_LAYER,
            ok=layer <= LARGEST_LAYER,
        ),
    ]
    print(f"{len(different)} of {len(one)} files differ; layer {layer:.1f} MB; {time.monotonic() - began:.0f} s")
    write_results("reproducible", rows)
    return 0 if passed(rows) else 1


if __name__ == "__main__":
    sys.exit(main())
