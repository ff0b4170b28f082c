#!/bin/sh
# Runs LoRADS' command with the Python of the ComfyUI that this folder lies in: ./lorads.sh doctor
# LORADS_PYTHON names another Python.
case $0 in */*) here=${0%/*} ;; *) here=. ;; esac
here=$(CDPATH='' cd -- "$here" && pwd) || exit 1
if [ -z "${LORADS_PYTHON:-}" ]; then
  for python in "$here/.venv/bin/python" "$here/../../.venv/bin/python" "$here/../../venv/bin/python" \
    "$(command -v python3)" "$(command -v python)"; do
    if [ -n "$python" ] && [ -x "$python" ]; then
      LORADS_PYTHON=$python
      break
    fi
  done
fi
if [ -z "${LORADS_PYTHON:-}" ]; then
  echo "error: No Python was found. Set LORADS_PYTHON to the Python of your ComfyUI." >&2
  exit 1
fi
exec "$LORADS_PYTHON" -s "$here/lorads.py" "$@"
