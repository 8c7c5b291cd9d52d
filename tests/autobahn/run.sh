#!/usr/bin/env bash
# Runs Autobahn's test suite (cases 1-7, 9 and 10) against `stateroom serve`, once for each way to
# keep rooms; every case must be strict. Arguments are the only ways to try, such as `--ephemeral`
# or `'--survives crash'`; CASES, in JSON, are the only cases.
#
# The suite runs on Python 2.7 only: `python2.7 -m pip install virtualenv==20.15.1`, then
# `autobahntestsuite==25.10.1` into a virtualenv. WSTEST names its command where that is not on the
# path. Not part of the other tests, which need no Python.
set -euo pipefail
cd "$(dirname "$0")/../.."

port=${PORT:-9401}
cases=${CASES:-'["1.*", "2.*", "3.*", "4.*", "5.*", "6.*", "7.*", "9.*", "10.*"]'}
[ $# -gt 0 ] || set -- --ephemeral '--survives nothing' '--survives crash' '--survives power-loss'
work=$(mktemp -d)
server=
trap '[ -z "$server" ] || kill "$server"; rm -r "$work"' EXIT
cargo build --quiet --package stateroom-cli

# Starts a server with the arguments, runs the cases against it and stops it.
run() {
    rm -rf "$work"/*
    # Messages are up to 16 MiB, and all of it may wait for a client that reads while it sends.
    "${CARGO_TARGET_DIR:-target}/debug/stateroom" serve tests/autobahn/echo.wat "$@" \
        --host 127.0.0.1 --port "$port" --log warn --log-format human --data-dir "$work/data" \
        --max-message-bytes 16MiB --max-queue-bytes 64MiB > "$work/server.log" 2>&1 &
    server=$!
    until (exec 3<> "/dev/tcp/127.0.0.1/$port") 2> /dev/null; do
        kill -0 "$server" || { cat "$work/server.log"; server=; return 1; }
        sleep 0.1
    done

    cat > "$work/cases.json" <<JSON
{"outdir": "$work/reports", "cases": $cases, "exclude-cases": [], "exclude-agent-cases": {},
 "servers": [{"agent": "stateroom", "url": "ws://127.0.0.1:$port/ws/autobahn"}]}
JSON
    (cd "$work" && "${WSTEST:-wstest}" --mode fuzzingclient --spec cases.json > log 2>&1) ||
        cat "$work/log"
    local ended=0
    kill "$server"
    wait "$server" || ended=$?
    server=
    cat "$work/server.log"
    [ "$ended" = 0 ] || echo "the server ended with $ended"
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
    ' "$work/reports/index.json" && [ "$ended" = 0 ]
}

failed=0
for mode in "$@"; do
    echo "$mode:"
    # shellcheck disable=SC2086 # an option and its value
    run $mode || failed=1
done
exit "$failed"
