#!/usr/bin/env bash
# Gets what the monitoring chain and its tests need, as any user and without touching the machine: what is not on PATH goes into
# .local/. Prometheus, promtool and amtool are Debian's packages, fetched by apt (which checks their signatures) and unpacked;
# Alertmanager (whose package runs from /usr alone), the CloudWatch exporter (YACE) and the reader of Alloy's configuration are built
# with Go, and Grafana's types come with npm, all from pinned versions. Idempotent.
set -euo pipefail
cd "$(dirname "$0")"
state=$PWD/../.local
mkdir -p "$state/bin"

missing() { echo "monitoring: $1" >&2; exit 1; }

unpack() {  # Debian packages into .local/debian, with lists and a cache of their own
  local place=$state/apt options
  mkdir -p "$place/lists/partial" "$place/cache/archives/partial"
  options=(-qq -o "Dir::State::Lists=$place/lists" -o "Dir::Cache=$place/cache" -o Debug::NoLocking=1 -o "APT::Sandbox::User=")
  echo "monitoring: fetching Debian's packages $*" >&2
  # the hooks of a machine's own apt may fail without rights; what counts is that the packages are there
  apt-get "${options[@]}" update 2>"$place/log" || { cat "$place/log" >&2; exit 1; }
  (cd "$place" && rm -f -- *.deb && apt-get "${options[@]}" download "$@" 2>>"$place/log") || { cat "$place/log" >&2; exit 1; }
  for package in "$place"/*.deb; do dpkg-deb -x "$package" "$state/debian"; done
  rm -rf "$place"
}

has() { command -v "$1" >/dev/null || [ -x "$state/debian/usr/bin/$1" ]; }

if ! { has prometheus && has promtool && has amtool; }; then
  command -v apt-get >/dev/null || missing "put prometheus, promtool and amtool on PATH (2.42 and 0.25, or later)"
  unpack prometheus prometheus-alertmanager
fi

alertmanager=$state/bin/alertmanager
if ! { command -v prometheus-alertmanager || command -v alertmanager; } >/dev/null &&
  { [ ! -x "$alertmanager" ] || [ alertmanager-build/go.sum -nt "$alertmanager" ]; }; then
  command -v go >/dev/null || missing "install Go 1.26 or later to build Alertmanager, or put alertmanager on PATH (0.25 or later)"
  echo "monitoring: building Alertmanager (a minute of processor time when nothing is cached)" >&2
  (cd alertmanager-build && nice -n 10 go build -trimpath -ldflags "-s -w" -o "$alertmanager" \
    github.com/prometheus/alertmanager/cmd/alertmanager)
fi

yace=$state/bin/yace
if [ ! -x "$yace" ] || [ yace-build/go.sum -nt "$yace" ]; then
  command -v go >/dev/null || missing "install Go 1.26 or later to build the CloudWatch exporter"
  echo "monitoring: building the CloudWatch exporter (four minutes of processor time when nothing is cached)" >&2
  (cd yace-build && nice -n 10 go build -trimpath -ldflags "-s -w" -o "$yace" \
    github.com/prometheus-community/yet-another-cloudwatch-exporter/cmd/yace)
fi

check=$state/bin/alloy-check
if [ ! -x "$check" ] || [ -n "$(find alloy-check -newer "$check" -type f -print -quit)" ]; then
  command -v go >/dev/null || missing "install Go 1.26 or later to build what reads Alloy's configuration"
  (cd alloy-check && nice -n 10 go build -trimpath -ldflags "-s -w" -o "$check" .)
fi

types=dashboards/node_modules/.package-lock.json
if [ ! -e "$types" ] || [ dashboards/package-lock.json -nt "$types" ]; then
  command -v npm >/dev/null || missing "install Node.js 20.11 or later, with npm, for Grafana's types"
  (cd dashboards && npm ci --silent --no-audit --no-fund)
fi
