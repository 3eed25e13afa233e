#!/usr/bin/env bash
# Known vulnerabilities of what is shipped, by the vulnerability database of PyPI. It needs that database: where it cannot be reached, or
# where a file cannot be looked up, it fails, and never says that all is well.
set -euo pipefail
cd "$(dirname "$0")/.."
for requirements in layers/common/requirements.txt functions/ops/requirements.txt monitoring/account_exporter/requirements.txt; do
  echo "audit: $requirements"
  .local/checks/bin/pip-audit --strict --require-hashes --disable-pip --progress-spinner off --requirement "$requirements"
done
