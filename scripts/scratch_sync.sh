#!/bin/sh
# Stage, archive and clean products between the data root and the scratch root:
#   scripts/scratch_sync.sh stage|archive|clean|status|list [PATH...] [--dry-run] [--delete] [--force] ...
# A thin call to "dsa110-contimg scratch", of this checkout's environment if it has one, else of PATH.
set -eu
here=$(CDPATH='' cd -- "$(dirname -- "$(readlink -f -- "$0")")" && pwd)
for command in "$here/../.venv/bin/dsa110-contimg" "$(command -v dsa110-contimg || true)"; do
    if [ -n "$command" ] && [ -x "$command" ]; then
        exec "$command" scratch "$@"
    fi
done
echo "error: dsa110-contimg is neither in $here/../.venv/bin nor on PATH. Run 'make env' there." >&2
exit 1
