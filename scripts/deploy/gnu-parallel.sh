#!/usr/bin/env bash
# 8 shards by GNU parallel, on this machine or on several that share a disk, and the merge.
#   gnu-parallel.sh LIST DIR [options of run]
# On other machines: PARALLEL='--sshlogin a.example,b.example --workdir .' gnu-parallel.sh ...
# The same line again starts what was killed and leaves alone what is done. It ends with the exit code of the
# merged run in DIR/merged; to merge again, move that folder away.
set -u
list=${1:?usage: gnu-parallel.sh LIST DIR [options of run]} dir=${2:?} program=${GHL_RECONNECT:-ghl-reconnect}
mkdir -p "$dir"
parallel --quote --jobs 8 --tag --line-buffer "$program" run "$list" --shard {}/8 --rate 100/10s --out "$dir/{}" --or-resume --yes "${@:3}" ::: 1 2 3 4 5 6 7 8
exec "$program" merge "$dir"/{1..8} --out "$dir/merged"
