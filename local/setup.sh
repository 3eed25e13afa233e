#!/usr/bin/env bash
# Makes the private environments of a checkout: .venv (everything) and .local/ministack (the AWS stand-in), and with the
# argument `mutation` also .local/mutmut (mutation testing), with `checks` .local/checks (static checks of the whole).
# Needs git, make and python3 >= 3.9; uv and CPython 3.13 are found or fetched. Idempotent and quick when nothing changed.
set -euo pipefail
cd "$(dirname "$0")/.."

stamp=.local/setup.stamp
wanted=$(cat uv.lock pyproject.toml local/setup.sh layers/common/requirements.txt functions/ops/requirements.txt | cksum)
if [ -x .venv/bin/python ] && [ -x .local/ministack/bin/python ] && [ "$(cat $stamp 2>/dev/null)" = "$wanted" ] &&
  { [ "${1:-}" != mutation ] || [ -x .local/mutmut/bin/mutmut ]; } &&
  { [ "${1:-}" != checks ] || [ -x .local/checks/bin/checkov ]; }; then
  exit 0
fi
mkdir -p .local

find_uv() {
  if command -v uv >/dev/null 2>&1; then command -v uv; return; fi
  if [ ! -x .local/uv/bin/uv ]; then
    echo "setup: fetching uv into .local/uv" >&2
    python3 -c 'import sys; sys.exit(sys.version_info < (3, 9))' || {
      echo "setup: python3 is older than 3.9; install a newer python3 or put uv on PATH" >&2; return 1; }
    if python3 -m venv .local/uv >/dev/null 2>&1; then
      .local/uv/bin/python -m pip install --quiet --disable-pip-version-check uv >&2
    else  # Debian without python3-venv: pip alone will do
      python3 -m pip install --quiet --disable-pip-version-check --target .local/uv uv >&2 || {
        echo "setup: neither 'python3 -m venv' nor 'python3 -m pip' works; install python3-venv, or put uv on PATH" >&2; return 1; }
    fi
  fi
  echo .local/uv/bin/uv
}

# A pyenv shim called python3.13 can exist and fail, so every candidate is asked for its version by running it.
find_python() {
  local candidate
  for candidate in "${PYTHON313:-}" "$(command -v python3.13 || true)" "${PYENV_ROOT:-$HOME/.pyenv}"/versions/3.13.*/bin/python3.13; do
    if [ -n "$candidate" ] && "$candidate" -c 'import sys; sys.exit(sys.version_info[:2] != (3, 13))' >/dev/null 2>&1; then
      "$candidate" -c 'import sys; print(sys.executable)'; return
    fi
  done
  echo 3.13  # uv's own download
}

uv=$(find_uv)
python=$(find_python)
echo "setup: CPython ${python}, environments .venv and .local/ministack" >&2
# Where Python may not write bytecode, each start of a function here would compile boto3 anew; Lambda's runtime has it compiled.
[ -z "${PYTHONDONTWRITEBYTECODE:-}" ] || export UV_COMPILE_BYTECODE=1
# --seed: `sam build` needs pip inside the environment.
[ -x .venv/bin/pip ] || "$uv" venv --quiet --seed --python "$python" --clear .venv || {
  echo "setup: no CPython 3.13 here, and none could be fetched; install one, or name it: PYTHON313=/path/to/python3.13" >&2; exit 1; }
"$uv" sync --quiet --locked --inexact --python "$python"
# What the artifacts for this machine's processor hold of others' packages: `sam build` finds it here and needs no network.
.venv/bin/pip download --quiet --disable-pip-version-check --only-binary :all: --require-hashes --dest .local/wheels \
  -r layers/common/requirements.txt -r functions/ops/requirements.txt
UV_PROJECT_ENVIRONMENT=.local/ministack "$uv" sync --quiet --locked --only-group ministack --python "$python"
if [ "${1:-}" = mutation ] || [ -x .local/mutmut/bin/mutmut ]; then
  UV_PROJECT_ENVIRONMENT=.local/mutmut "$uv" sync --quiet --locked --only-group mutation --python "$python"
fi
if [ "${1:-}" = checks ] || [ -x .local/checks/bin/checkov ]; then
  UV_PROJECT_ENVIRONMENT=.local/checks "$uv" sync --quiet --locked --only-group checks --python "$python"
fi
echo "$wanted" >$stamp
