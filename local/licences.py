"""The licences of what is shipped: each distribution that is locked for the layer, the ops function and the exporter.

`python -m local.licences` prints them and ends with 1 for one that is not on the list.
"""

from __future__ import annotations

import re
import sys
from importlib.metadata import PackageMetadata, metadata
from typing import Final

from local.template import ROOT

REQUIREMENTS: Final = (
    "layers/common/requirements.txt",
    "functions/ops/requirements.txt",
    "monitoring/account_exporter/requirements.txt",
)
# Licences under which a service may be run and its artifacts be handed on with their notices.
ALLOWED: Final = re.compile(
    r"\b(MIT|MIT-0|Apache|BSD|ISC|PSF|Python Software Foundation|MPL|Mozilla Public)\b", re.IGNORECASE
)


def shipped() -> list[str]:
    """Names of the locked distributions."""
    text = "".join((ROOT / path).read_text() for path in REQUIREMENTS)
    return sorted(set(re.findall(r"^([a-z0-9][a-z0-9._-]*)==", text, re.MULTILINE)))


def licence(about: PackageMetadata) -> str:
    """What a distribution says of its licence: the expression, else its classifiers, else its first line of text."""
    classifiers = [
        each.rsplit(" :: ", 1)[-1] for each in about.get_all("Classifier") or [] if each.startswith("License ::")
    ]
    said = about.get("License-Expression") or ", ".join(classifiers) or (about.get("License") or "").strip()
    return said.splitlines()[0] if said else "none given"


def main() -> int:
    """Print name, version and licence of each."""
    strangers = 0
    for name in shipped():
        about = metadata(name)
        said = licence(about)
        allowed = bool(ALLOWED.search(said))
        strangers += not allowed
        print(f"{name:<32}{about['Version']:<12}{said}{'' if allowed else '   NOT ON THE LIST'}")
    return 1 if strangers else 0


if __name__ == "__main__":
    sys.exit(main())
