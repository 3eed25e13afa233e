"""Singer's turn: the tap's lines through a pipe into MeltanoLabs' PostgreSQL target, which copies and merges.

Tap and target have an environment each, as their pins require. Prints one JSON line: seconds of both together.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import time
from pathlib import Path


def main() -> int:
    """Load once."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--base-url", required=True)
    parser.add_argument("--database-url", required=True)
    parser.add_argument("--pipelines-dir", required=True)
    parser.add_argument("--secret-key", default="test_sk_bench")
    parser.add_argument("--target", required=True, help="target-postgres in its own environment")
    asked = parser.parse_args()
    kept = Path(asked.pipelines_dir)
    kept.mkdir(parents=True, exist_ok=True)
    source, sink = kept / "tap.json", kept / "target.json"
    source.write_text(json.dumps({"base_url": asked.base_url, "secret_key": asked.secret_key}))
    sink.write_text(
        json.dumps(
            {
                "sqlalchemy_url": asked.database_url.replace("postgresql://", "postgresql+psycopg://"),
                "default_target_schema": "mono",
                "load_method": "upsert",
                "use_copy": True,
                "batch_size_rows": 10_000,
                "add_record_metadata": False,
                "activate_version": False,
            }
        )
    )
    began = time.monotonic()
    tap = subprocess.Popen(
        [sys.executable, Path(__file__).with_name("tap_mono.py"), "--config", source], stdout=subprocess.PIPE
    )
    target = subprocess.Popen([asked.target, "--config", sink], stdin=tap.stdout, stdout=subprocess.DEVNULL)
    tap.stdout.close()  # a target that died must not leave the tap waiting for a reader
    code = target.wait() or tap.wait()
    print(json.dumps({"seconds": time.monotonic() - began}))
    return code


if __name__ == "__main__":
    sys.exit(main())
