#!/usr/bin/env bash
# Builds the server with the C++ sources of uWebSockets that the crate libuwebsockets-sys carries
# (upstream publishes to no package registry). Needs cargo and a C++20 compiler.
set -euo pipefail
cd "$(dirname "$0")"
manifest=$(cargo metadata --locked --format-version 1 |
    grep -o '"manifest_path":"[^"]*/libuwebsockets-sys-[^"]*"' | cut -d'"' -f4)
sources=$(dirname "$manifest")/uWebSockets
mkdir -p build
cd build
sockets=$sources/uSockets/src
options="-O3 -march=native -flto=auto -DLIBUS_NO_SSL -DUWS_NO_ZLIB -I$sockets -I$sources/src"
# shellcheck disable=SC2086
gcc -std=c11 $options -c "$sockets"/*.c "$sockets"/eventing/*.c "$sockets"/crypto/*.c
# shellcheck disable=SC2086
g++ -std=c++20 $options ../server.cpp ./*.o -o server
