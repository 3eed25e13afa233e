"""The image of the account exporter, for infra/exporter.yaml: `python -m local.exporter_image --tag TAG`.

It takes the layer that `make deploy` built, and needs Docker with the image of Lambda's Python; nothing is run while it
is built, so that an x86_64 machine makes one for arm64.
"""

from __future__ import annotations

import argparse
import shutil
import subprocess
import sys
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Final

from local.template import ROOT

LAYER: Final = ROOT / ".aws-sam" / "deploy" / "CommonLayer"
SOURCE: Final = ROOT / "monitoring" / "account_exporter"
BASE: Final = "public.ecr.aws/lambda/python:3.13"
PLATFORM: Final = "linux/arm64"


def assemble(folder: Path, *, layer: Path) -> None:
    """Put into `folder` what the Dockerfile copies.

    Raises:
        FileNotFoundError: the layer was not built.
        subprocess.CalledProcessError: a library could not be installed as it is locked.
    """
    library = folder / "lib"
    shutil.copytree(layer / "python", library)
    install = [sys.executable, "-m", "pip", "install", "--quiet", "--disable-pip-version-check", "--no-deps"]
    install += ["--require-hashes", "--only-binary=:all:", "--target", str(library)]
    subprocess.run([*install, "--requirement", str(SOURCE / "requirements.txt")], check=True)
    package = library / "monitoring"
    shutil.copytree(SOURCE, package / SOURCE.name, ignore=shutil.ignore_patterns("__pycache__"))
    shutil.copy(SOURCE.parent / "__init__.py", package)
    shutil.copy(SOURCE / "Dockerfile", folder)


def build(tag: str, *, layer: Path = LAYER, base: str = BASE, platform: str = PLATFORM) -> None:
    """Make the image `tag`.

    Raises:
        FileNotFoundError, subprocess.CalledProcessError: as `assemble`, and where Docker refuses.
    """
    with TemporaryDirectory(prefix="exporter-image-") as given:
        folder = Path(given)
        assemble(folder, layer=layer)
        command = ["docker", "build", "--quiet", "--tag", tag, "--build-arg", f"BASE={base}", "--platform", platform]
        subprocess.run([*command, str(folder)], check=True)


def main(argv: list[str]) -> int:
    """Build; 0 when the image is there."""
    parser = argparse.ArgumentParser(prog="python -m local.exporter_image", description=__doc__)
    parser.add_argument("--tag", required=True)
    parser.add_argument("--platform", default=PLATFORM)
    given = parser.parse_args(argv)
    if not (LAYER / "python" / "rds-ca.pem").is_file():
        print("the layer is not built, or has no authorities of Amazon RDS: make deploy ENV=… first", file=sys.stderr)
        return 2
    build(given.tag, platform=given.platform)
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
