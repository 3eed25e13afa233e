"""`python -m local.cloudwatch --logs FOLDER --port PORT`: the stand-in over a running stack's logs."""

from __future__ import annotations

import argparse
import sys
import time
from pathlib import Path
from typing import Final

from local.cloudwatch.log_folder import LogFolder
from local.cloudwatch.points import Points
from local.cloudwatch.server import CloudWatchServer

EVERY_SECONDS: Final = 1.0


def main(argv: list[str]) -> int:
    """Serve until the process is ended; what CloudWatch would drop is printed."""
    parser = argparse.ArgumentParser(prog="python -m local.cloudwatch")
    parser.add_argument("--logs", type=Path, required=True, help="folder of the functions' logs")
    parser.add_argument("--port", type=int, required=True)
    given = parser.parse_args(argv)
    points = Points()
    folder = LogFolder(given.logs, points)
    told = 0
    with CloudWatchServer(points, port=given.port):
        while True:
            folder.take()
            for refused in folder.refused[told:]:
                print(f"cloudwatch: dropped: {refused}", flush=True)
            told = len(folder.refused)
            time.sleep(EVERY_SECONDS)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
