"""`python -m local.migrate --url URL`: brings a local database to the newest schema."""

from __future__ import annotations

import argparse
from typing import Final

from local.results import ROOT
from mono_pipeline.adapters.migrator import migrate

MIGRATIONS: Final = ROOT / "migrations"


def main() -> None:
    """Apply what is pending and name it."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--url", required=True, help="postgresql://user@host:port/database")
    applied = migrate(parser.parse_args().url, MIGRATIONS)
    print("\n".join(applied) or "nothing to apply")


if __name__ == "__main__":
    main()
