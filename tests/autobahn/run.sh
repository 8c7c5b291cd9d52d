#!/usr/bin/env bash
# Runs Autobahn's test suite (cases 1-7 and 10) against `stateroom serve`; every case must be strict.
#
# The suite runs on Python 2.7 only: `python2.7 -m pip install virtualenv autobahntestsuite==25.10.1`.
# WSTEST names its command where that is not on the path. Not part of the other tests, which need no
# Python.
set -euo pipefail
cd "$(dirname "$0")/../.."

port=${PORT:-9401}
work=$(mktemp -d)
cargo build --quiet --package stateroom-cli
"${CARGO_TARGET_DIR:-target}/debug/stateroom" serve tests/autobahn/echo.wat \
    --host 127.0.0.1 --port "$port" --log off &
server=$!
trap 'kill "$server"; rm -r "$work"' EXIT
until (exec 3<> "/dev/tcp/127.0.0.1/$port") 2> /dev/null; do sleep 0.1; done

cat > "$work/cases.json" <<JSON
{"outdir": "$work/reports", "exclude-cases": [], "exclude-agent-cases": {},
 "cases": ["1.*", "2.*", "3.*", "4.*", "5.*", "6.*", "7.*", "10.*"],
 "servers": [{"agent": "stateroom", "url": "ws://127.0.0.1:$port/ws/autobahn"}]}
JSON
(cd "$work" && "${WSTEST:-wstest}" --mode fuzzingclient --spec cases.json > log 2>&1) || cat "$work/log"
node -e '
    const results = Object.entries(require(process.argv[1]).stateroom);
    const counts = {}, wrong = [];
    for (const [name, { behavior, behaviorClose }] of results) {
        counts[behavior] = (counts[behavior] ?? 0) + 1;
        const good = ["OK", "INFORMATIONAL"];
        if (!good.includes(behavior) || !good.includes(behaviorClose)) wrong.push([name, behavior, behaviorClose]);
    }
    console.log(results.length, "cases:", counts, wrong.length ? wrong : "all strict");
    process.exit(wrong.length || !results.length ? 1 : 0);
' "$work/reports/index.json"
