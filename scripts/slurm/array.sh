#!/usr/bin/env bash
# Many structures on many nodes: each task of a job array takes one shard of them. Then one small job merges the tables:
#
#   job=$(sbatch --parsable --array=1-8 scripts/slurm/array.sh structures/*.xyz -f force_field.toml -o outputs)
#   sbatch --dependency=afterok:"$job" scripts/slurm/merge.sh outputs
#
# afterok: the merge starts once every task has ended with 0. Where one failed it never starts; see docs/clusters.md.
#
# The arguments are those of `md-sensitivity analyze`, and the same for all tasks: a shard is every N-th structure of the whole list.
# A task that runs out of time goes back to the queue by itself and continues with --resume, as in single_gpu.sh.
#
# To run some tasks again, say how many there were: SHARDS=8 sbatch --array=3,5 scripts/slurm/array.sh ...
#
#SBATCH --job-name=md-sensitivity
#SBATCH --nodes=1
#SBATCH --ntasks=1
#SBATCH --cpus-per-task=4
#SBATCH --time=04:00:00
#SBATCH --signal=B:USR1@120
#SBATCH --requeue
#SBATCH --open-mode=append
#SBATCH --output=%x-%A_%a.log

set -euo pipefail

# ---- Settings ------------------------------------------------------------------------------------------------------------------
# module load python/3.12             # what the cluster needs
# source "$HOME/venvs/md_sensitivity/bin/activate"
PROGRAM=${PROGRAM:-md-sensitivity}
DEVICE=${DEVICE:-auto}                # with a line `#SBATCH --gpus-per-task=1` above: gpu
MAX_RESTARTS=${MAX_RESTARTS:-20}      # a structure that takes longer than --time would be begun again for ever
# GPU_MEMORY=0.9                      # part of the GPU's memory to reserve at the start; not set: what is needed, when it is needed
# export MD_SENSITIVITY_CACHE=/scratch/$USER    # compiled programs; the default is ~/.cache, which nodes may share
# Threads follow from --cpus-per-task.
# --------------------------------------------------------------------------------------------------------------------------------

say() { printf '%s: %s\n' "$(date '+%F %T')" "$*" >&2; }

command -v "$PROGRAM" >/dev/null || {
    say "no '$PROGRAM' on $(hostname): activate its environment under Settings"
    exit 1
}

task=${SLURM_ARRAY_TASK_ID:?is not set: submit this script with sbatch --array=1-N}
if [ -z "${SHARDS:-}" ]; then
    if [ "$SLURM_ARRAY_TASK_MIN" != 1 ] || [ "$SLURM_ARRAY_TASK_MAX" != "$SLURM_ARRAY_TASK_COUNT" ]; then
        say "this array does not run from 1 to N; set SHARDS to the number of shards"
        exit 2
    fi
    SHARDS=$SLURM_ARRAY_TASK_COUNT
fi

child=
signaled=
# shellcheck disable=SC2317 # the traps call it
pass_on() { # the signal $1, to srun, which passes it on to the program
    signaled=$1
    say "SIG$1: asking the program to write what is finished"
    [ -z "$child" ] || kill -s "$1" "$child" 2>/dev/null || true
}
trap 'pass_on USR1' USR1
trap 'pass_on TERM' TERM

say "run $((${SLURM_RESTART_COUNT:-0} + 1)) of shard $task/$SHARDS on $(hostname)"
export SRUN_CPUS_PER_TASK=${SLURM_CPUS_PER_TASK:-1} # srun does not take it over from sbatch by itself
srun --ntasks=1 "$PROGRAM" analyze --resume --shard "$task/$SHARDS" --device "$DEVICE" ${GPU_MEMORY:+--gpu-memory "$GPU_MEMORY"} "$@" &
child=$!
[ -z "$signaled" ] || kill -s "$signaled" "$child" # it came before there was a child
code=0
while :; do # a signal ends `wait` before the program has ended
    signaled=
    wait "$child" && code=0 || code=$?
    [ -n "$signaled" ] || break
done

case $code in
138)
    if [ "${SLURM_RESTART_COUNT:-0}" -lt "$MAX_RESTARTS" ]; then
        say "shard $task is not finished; back to the queue"
        # It still ends with 138, not 0: whatever becomes of the request, an unfinished shard must not pass for a finished one.
        scontrol requeue "${SLURM_ARRAY_JOB_ID}_$task" || say "SLURM did not take it back; submit it again and --resume continues"
    else
        say "shard $task is not finished after $MAX_RESTARTS restarts; give it more --time, then submit it again: --resume continues"
    fi
    ;;
143) say "ended from outside; submit it again and --resume continues" ;;
4) say "some structures of shard $task failed; the results of the others are written" ;;
*) say "ended with code $code" ;;
esac
exit "$code"
