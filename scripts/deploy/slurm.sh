#!/usr/bin/env bash
#SBATCH --job-name=ghl-reconnect
#SBATCH --ntasks=1
#SBATCH --cpus-per-task=1
#SBATCH --mem=1G
#SBATCH --time=12:00:00
#SBATCH --requeue
#SBATCH --signal=B:USR1@300
# 8 shards as a Slurm array, and a merge when all have ended, whatever became of them.
#   slurm.sh LIST DIR [options of run]                        submits both; DIR is on the shared disk
#   sbatch --array=3 slurm.sh LIST DIR [options of run]       submits one shard again
# Run folders are DIR/1 to DIR/8, the merged one is DIR/merged. Give the secret as a file that the nodes can
# read, with --env-file, not by the environment: Slurm keeps that on its controller. Near its time limit, on a
# lost or drained node and after exit codes 4, 137 and 143, a shard is queued again and resumes.
set -u

shards=8
rate=100/10s
starts=20
program=${GHL_RECONNECT:-ghl-reconnect}
list=${1:?usage: slurm.sh LIST DIR [options of run]}
dir=${2:?usage: slurm.sh LIST DIR [options of run]}
shift 2

folders() {
    for ((shard = 1; shard <= shards; shard++)); do printf '%s\n' "$dir/$shard"; done
}

if [[ -z ${SLURM_ARRAY_TASK_ID:-} ]]; then
    mkdir -p "$dir"
    mapfile -t folders < <(folders)
    array=$(sbatch --parsable --array=1-$shards --output="$dir/%a.log" --open-mode=append "$0" "$list" "$dir" "$@") || exit
    merge=$(printf '%q ' "$program" merge "${folders[@]}" --out "$dir/merged")
    merge=$(sbatch --parsable --dependency="afterany:$array" --job-name=ghl-reconnect-merge \
        --output="$dir/merge.log" --wrap="$merge") || exit
    echo "array $array, merge $merge"
    exit
fi

again() {
    # Slurm ends the process of a job that is queued again: nothing may follow.
    if ((${SLURM_RESTART_COUNT:-0} < starts)); then
        exec scontrol requeue "${SLURM_ARRAY_JOB_ID}_$SLURM_ARRAY_TASK_ID"
    fi
    exit "$1"
}

near_limit=
"$program" run "$list" --shard "auto/$shards" --rate "$rate" --out "$dir/$SLURM_ARRAY_TASK_ID" --or-resume "$@" &
pid=$!
trap 'near_limit=yes; kill -TERM $pid' USR1
# Slurm sends this one to the program too, and a second one would end it at once.
trap : TERM
wait $pid
code=$?
# A signal ends the first wait: the shard is drained by the second one.
while kill -0 $pid 2>/dev/null; do
    wait $pid
    code=$?
done

case $code in
4 | 137) again $code ;;
143) [[ -n $near_limit ]] && again $code ;;
esac
exit $code
