#!/bin/sh
# Runs one libFuzzer program for LICHEN_FUZZ_SECONDS (40) over a copy of its corpus; any finding
# fails. usage: run_fuzzer.sh PROGRAM CORPUS
set -eu
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cp -r "$2/." "$work/"
ASAN_OPTIONS=quarantine_size_mb=16 "$1" -timeout=2 -rss_limit_mb=512 \
    -max_total_time="${LICHEN_FUZZ_SECONDS:-40}" -print_final_stats=1 "$work"
echo "[  PASSED  ] 1 test(s)."
