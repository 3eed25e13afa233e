#!/usr/bin/env bash
# Installs what the monitoring chain needs on Debian or Ubuntu: Prometheus and Alertmanager as packages, whose services are kept
# from starting, and the CloudWatch exporter (YACE), built with Go from the versions that yace-build/go.sum holds. Idempotent.
set -euo pipefail
cd "$(dirname "$0")"

if ! command -v prometheus >/dev/null || ! command -v prometheus-alertmanager >/dev/null; then
  sudo=""
  [ "$(id -u)" = 0 ] || sudo=sudo
  policy=/usr/sbin/policy-rc.d
  if [ ! -e $policy ]; then  # asked before any service is started; 101 is "no"
    printf '#!/bin/sh\nexit 101\n' | $sudo tee $policy >/dev/null
    $sudo chmod +x $policy
    trap '$sudo rm -f $policy' EXIT
  fi
  $sudo apt-get update -qq
  DEBIAN_FRONTEND=noninteractive $sudo apt-get install -qq -y --no-install-recommends prometheus prometheus-alertmanager >/dev/null
fi

yace=$PWD/../.local/bin/yace
if [ ! -x "$yace" ] || [ yace-build/go.sum -nt "$yace" ]; then
  command -v go >/dev/null || { echo "monitoring: install Go 1.26 or later to build the CloudWatch exporter" >&2; exit 1; }
  mkdir -p "$(dirname "$yace")"
  echo "monitoring: building the CloudWatch exporter (two minutes when nothing is cached)" >&2
  (cd yace-build && nice -n 10 go build -trimpath -ldflags "-s -w" -o "$yace" \
    github.com/prometheus-community/yet-another-cloudwatch-exporter/cmd/yace)
fi
