#!/usr/bin/env bash
# Runs natter-faults with what it needs of the system: `faults.sh PROGRAM [ARGUMENT…]`. As root on Debian or Ubuntu it
# installs what is missing (nftables, iproute2, faketime); elsewhere the rows that need it say that they were skipped, and
# why. Whatever becomes of the run, its network namespaces, small disks and memory groups are gone afterwards.
set -euo pipefail

missing=()
command -v ip >/dev/null || missing+=(iproute2)
command -v nft >/dev/null || missing+=(nftables)
command -v faketime >/dev/null || missing+=(faketime)
if [ "${#missing[@]}" -gt 0 ]; then
    if [ "$(id -u)" = 0 ] && command -v apt-get >/dev/null; then
        echo "installing ${missing[*]} for the fault matrix" >&2
        { apt-get update -qq && DEBIAN_FRONTEND=noninteractive apt-get install -y -qq "${missing[@]}"; } >&2 ||
            echo "${missing[*]} can't be installed: rows that need them are skipped" >&2
    else
        echo "${missing[*]} missing: rows that need them are skipped" >&2
    fi
fi

# Ten thousand clients need a socket each, on both sides.
ulimit -n 20000 2>/dev/null || ulimit -n "$(ulimit -Hn)" 2>/dev/null || true

"$@" &
run=$!

# What a run puts away itself, unless it was killed.
cleanup() {
    # What isn't there can't be put away: that is no failure of the run.
    set +e
    kill "$run" 2>/dev/null && wait "$run" 2>/dev/null
    if [ "$(id -u)" = 0 ] && command -v ip >/dev/null && command -v nft >/dev/null; then
        ip netns del "natter$run" 2>/dev/null
        ip link del "nat$run" 2>/dev/null
        nft delete table ip "natter$run" 2>/dev/null
        rmdir "/sys/fs/cgroup/memory/natter$run" 2>/dev/null
    fi
}
trap cleanup EXIT
trap 'exit 130' INT
trap 'exit 143' TERM

wait "$run"
