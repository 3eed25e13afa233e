#!/usr/bin/env bash
# The rules' tests with promtool of Prometheus 3 beside Debian's 2.x, which `make test` uses: built with Go from the versions that
# promtool-build/go.sum holds (eight minutes of processor time once), then checks and tests. Idempotent.
set -euo pipefail
cd "$(dirname "$0")"

promtool=$PWD/../.local/bin/promtool3
if [ ! -x "$promtool" ] || [ promtool-build/go.sum -nt "$promtool" ]; then
  command -v go >/dev/null || { echo "promtool3: install Go 1.26.7 or later to build it" >&2; exit 1; }
  mkdir -p "$(dirname "$promtool")"
  echo "promtool3: building (eight minutes of processor time when nothing is cached)" >&2
  (cd promtool-build && nice -n 10 go build -trimpath -ldflags "-s -w" -o "$promtool" github.com/prometheus/prometheus/cmd/promtool)
fi
cd prometheus
"$promtool" check config prometheus.yml
cd tests
"$promtool" test rules alerts_test.yml calendar_test.yml
