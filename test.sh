#!/usr/bin/env bash
# Runs all tests. Needs Rust (rustup), Node and, where what they need besides is not installed, Debian's apt.
set -euo pipefail
cd "$(dirname "$0")"

# Compilers that Debian has not.
tools=$PWD/target/tools
export PATH="$PATH:$tools/bin:$tools/node_modules/.bin"

# What the browser tests need, and what the pages of the documentation name.
packages=()
needs() {
    PATH="$PATH:/usr/sbin:/sbin" command -v "$1" > /dev/null || packages+=("${@:2}")
}
needs "${CHROMIUM:-/usr/bin/chromium}" chromium
needs caddy caddy
needs nginx nginx-light
needs systemd-analyze systemd
needs clang clang
needs wasm-ld lld
needs curl curl
needs openssl openssl
needs strace strace
# Not in the path: Debian has several versions side by side.
compgen -G '/usr/lib/postgresql/*/bin/initdb' > /dev/null || needs initdb postgresql
python3 -c 'import ensurepip' 2> /dev/null || packages+=(python3-venv)
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

if ! command -v zig > /dev/null; then
    echo "== Zig"
    python3 -m venv "$tools/python"
    "$tools/python/bin/pip" install --quiet ziglang==0.17.1
    mkdir -p "$tools/bin"
    printf '#!/bin/sh\nexec "%s" -m ziglang "$@"\n' "$tools/python/bin/python" > "$tools/bin/zig"
    chmod +x "$tools/bin/zig"
fi
if ! command -v asc > /dev/null; then
    echo "== AssemblyScript"
    npm install --silent --no-audit --no-fund --prefix "$tools" assemblyscript@0.28.20
fi

echo "== Rust"
if command -v rustup > /dev/null; then
    # Where rustup does not by itself fetch what rust-toolchain.toml names.
    rustup target add wasm32-wasip1 wasm32-unknown-unknown
fi
cargo test --workspace

if [ -e clients/typescript/package.json ]; then
    echo "== TypeScript"
    (cd clients/typescript && npm ci --no-audit --no-fund && npm run check && npm run build && npm test)
fi

if [ -e tests/browser/package.json ]; then
    echo "== Browser"
    cd tests/browser
    npm ci --no-audit --no-fund
    npm test
fi
