#!/usr/bin/env bash
# scripts/stage.sh NAME COMMAND...: runs one stage of `make test`, announced and timed; a failure says which it was.
set -uo pipefail

name=$1
shift
times=${STAGE_TIMES:-/dev/null}
echo "== $name"
started=$SECONDS
"$@"
status=$?
took=$((SECONDS - started))
if [ "$status" -ne 0 ]; then
  echo "== $name FAILED after $took s: $*" >&2
  exit "$status"
fi
printf '%5d s  %s\n' "$took" "$name" >>"$times"
