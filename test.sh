#!/usr/bin/env bash
# Runs all tests. Needs Rust (rustup), Node and, where what they need besides is not installed, Debian's apt.
set -euo pipefail
cd "$(dirname "$0")"

# What the browser tests need, and what the pages of the documentation name.
packages=()
needs() {
    PATH="$PATH:/usr/sbin:/sbin" command -v "$1" > /dev/null || packages+=("${@:2}")
}
needs "${CHROMIUM:-/usr/bin/chromium}" chromium
needs caddy caddy
needs nginx nginx-light
needs systemd-analyze systemd
needs curl curl
needs openssl openssl
needs strace strace
if [ "${#packages[@]}" -gt 0 ]; then
    echo "== Packages of Debian: ${packages[*]}"
    as_root=$([ "$(id -u)" = 0 ] || echo sudo)
    # No server is to start because its package is there.
    policy=/usr/sbin/policy-rc.d
    if [ ! -e "$policy" ]; then
        printf '#!/bin/sh\nexit 101\n' | $as_root install -m 755 /dev/stdin "$policy"
        trap '$as_root rm -f "$policy"' EXIT
    fi
    $as_root apt-get update -qq
    $as_root env DEBIAN_FRONTEND=noninteractive \
        apt-get install -y -qq --no-install-recommends "${packages[@]}"
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
