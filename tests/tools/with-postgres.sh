#!/usr/bin/env bash
# Runs a command with a PostgreSQL server of its own: `with-postgres.sh cargo test`. The command finds its URL in
# NATTER_TEST_POSTGRES. The server listens on loopback at a free port, keeps its data in a temporary directory, and is
# gone afterwards. A URL that is set already is used as it is.
set -euo pipefail

if [ -n "${NATTER_TEST_POSTGRES:-}" ]; then
    exec "$@"
fi

# Debian keeps the server's programs outside PATH.
find_postgres() {
    local candidate
    for candidate in "$(command -v initdb 2>/dev/null || true)" /usr/lib/postgresql/*/bin/initdb; do
        [ -x "$candidate" ] && dirname "$(readlink -f "$candidate")" && return
    done
    return 1
}

if ! bin=$(find_postgres); then
    if [ "$(id -u)" = 0 ] && command -v apt-get >/dev/null; then
        echo "installing PostgreSQL for the tests" >&2
        apt-get update -qq >&2 && DEBIAN_FRONTEND=noninteractive apt-get install -y -qq postgresql >&2
        bin=$(find_postgres)
    else
        echo "the tests need PostgreSQL: install its server, or set NATTER_TEST_POSTGRES to the URL of an empty database" >&2
        exit 1
    fi
fi

dir=$(mktemp -d)
# PostgreSQL refuses to run as root.
as=()
if [ "$(id -u)" = 0 ]; then
    user=postgres
    id "$user" >/dev/null 2>&1 || user=nobody
    chown "$user" "$dir"
    as=(setpriv --reuid "$user" --regid "$(id -g "$user")" --clear-groups)
fi

cleanup() {
    set +e
    [ -f "$dir/data/postmaster.pid" ] && "${as[@]}" "$bin/pg_ctl" -D "$dir/data" -m immediate -w stop >/dev/null 2>&1
    rm -rf "$dir"
}
trap cleanup EXIT
trap 'exit 130' INT TERM

"${as[@]}" "$bin/initdb" -D "$dir/data" -U natter --auth=trust --no-sync -E UTF8 --locale=C >"$dir/initdb.log" 2>&1 || {
    cat "$dir/initdb.log" >&2
    exit 1
}
port=$(python3 -c 'import socket; s = socket.socket(); s.bind(("127.0.0.1", 0)); print(s.getsockname()[1])' 2>/dev/null || echo $((20000 + RANDOM % 20000)))
"${as[@]}" "$bin/pg_ctl" -D "$dir/data" -w -l "$dir/log" \
    -o "-p $port -c listen_addresses=127.0.0.1 -c unix_socket_directories='' -c max_connections=400" start >/dev/null || {
    cat "$dir/log" >&2
    exit 1
}
"${as[@]}" "$bin/createdb" -h 127.0.0.1 -p "$port" -U natter natter 2>/dev/null || "${as[@]}" "$bin/psql" -h 127.0.0.1 -p "$port" -U natter -d postgres -qc 'CREATE DATABASE natter'

NATTER_TEST_POSTGRES="postgres://natter@127.0.0.1:$port/natter" "$@"
