#!/usr/bin/env bash
# Runs all tests. Needs Rust (rustup), Node and, where Chromium is not installed, Debian's apt.
set -euo pipefail
cd "$(dirname "$0")"

chromium=${CHROMIUM:-/usr/bin/chromium}
if [ ! -x "$chromium" ]; then
    echo "== Chromium, for the browser tests"
    as_root=$([ "$(id -u)" = 0 ] || echo sudo)
    $as_root apt-get update -qq
    DEBIAN_FRONTEND=noninteractive $as_root apt-get install -y -qq --no-install-recommends chromium
fi

echo "== Rust"
if command -v rustup > /dev/null; then
    # Where rustup does not by itself fetch what rust-toolchain.toml names.
    rustup target add wasm32-wasip1 wasm32-unknown-unknown
fi
cargo test --workspace

if [ -e tests/browser/package.json ]; then
    echo "== Browser"
    cd tests/browser
    npm ci --no-audit --no-fund
    npm test
fi
