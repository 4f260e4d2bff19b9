#!/bin/sh
# Sums the results in logs of ctest (LastTest.log) and ends with `N passed, N failed, N skipped`.
# A test program that printed no sum counts as one test. Fails when a test failed or a program
# crashed, and when more than LICHEN_SKIPS_MAX tests skipped: a skip must stay an exception.
# usage: summary.sh LOG...
set -eu
[ $# -gt 0 ] || { echo "usage: summary.sh LOG..." >&2; exit 2; }
awk -v skips_max="${LICHEN_SKIPS_MAX:-20}" '
    function finish() {
        if (name == "")
            return
        if (!ok && !skip && failed_here == 0) { # a crash, a time-out, or a program without a sum
            failed_here = 1
            crashes = crashes "\n  " name " (" FILENAME ")"
        }
        if (ok && !seen)
            passed_here = 1
        if (skip)
            skipped_here = 1
        passed += passed_here
        failed += failed_here
        skipped += skipped_here
        if (failed_here && seen)
            failures = failures "\n  " name
        name = ""
    }
    /^[0-9]+\/[0-9]+ Testing: / {
        finish()
        name = $0
        sub(/^[0-9]+\/[0-9]+ Testing: /, "", name)
        ok = skip = seen = passed_here = failed_here = skipped_here = 0
    }
    /^\[  PASSED  \] [0-9]+ test\(s\)/ { passed_here += $4; seen = 1 }
    /^\[  FAILED  \] [0-9]+ test\(s\)/ { failed_here += $4; seen = 1 }
    /^\[  SKIPPED \] [0-9]+ test\(s\)/ { skipped_here += $4; seen = 1 }
    /^Test Passed\.$/ { ok = 1 }
    /^Test Skipped\.$/ { skip = 1 }
    /^skip: / { reasons[$0]++ }
    END {
        finish()
        for (reason in reasons)
            printf "%s (%d)\n", reason, reasons[reason]
        if (failures != "")
            print "failed:" failures
        if (crashes != "")
            print "ended without a sum:" crashes
        if (skipped > skips_max)
            printf "%d tests skipped, at most %d may\n", skipped, skips_max
        if (passed + failed == 0)
            print "no test ran"
        printf "%d passed, %d failed, %d skipped\n", passed, failed, skipped
        exit failed > 0 || skipped > skips_max || passed == 0
    }' "$@"
