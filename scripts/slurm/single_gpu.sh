#!/usr/bin/env bash
# One node with one GPU. The arguments are those of `md-sensitivity analyze`:
#
#   sbatch scripts/slurm/single_gpu.sh structures/*.xyz -f force_field.toml -o outputs
#
# Two minutes before the time is up SLURM sends SIGUSR1 to this script, which passes it on. The program then writes what is finished
# and ends with 138, the job goes back to the queue, and its next run continues with --resume. `scancel` ends it for good (143).
#
# Adapt the lines that begin with #SBATCH, and what stands under "Settings"; the environment of `sbatch` can set that too. The file
# stands alone, because sbatch runs a copy of it from another place.
#
#SBATCH --job-name=md-sensitivity
#SBATCH --nodes=1
#SBATCH --ntasks=1
#SBATCH --cpus-per-task=8
#SBATCH --gpus-per-node=1
#SBATCH --time=04:00:00
#SBATCH --signal=B:USR1@120
#SBATCH --requeue
#SBATCH --open-mode=append
#SBATCH --output=%x-%j.log

set -euo pipefail

# ---- Settings ------------------------------------------------------------------------------------------------------------------
# module load python/3.12             # what the cluster needs
# source "$HOME/venvs/md_sensitivity/bin/activate"
PROGRAM=${PROGRAM:-md-sensitivity}
DEVICE=${DEVICE:-gpu}                 # gpu never falls back to the CPU: a node without its driver fails at once
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

say "run $((${SLURM_RESTART_COUNT:-0} + 1)) of job ${SLURM_JOB_ID:?is not set: submit this script with sbatch} on $(hostname)"
export SRUN_CPUS_PER_TASK=${SLURM_CPUS_PER_TASK:-1} # srun does not take it over from sbatch by itself
srun --ntasks=1 "$PROGRAM" analyze --resume --device "$DEVICE" ${GPU_MEMORY:+--gpu-memory "$GPU_MEMORY"} "$@" &
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
        say "not finished; back to the queue"
        # It still ends with 138, not 0: whatever becomes of the request, an unfinished job must not pass for a finished one.
        scontrol requeue "$SLURM_JOB_ID" || say "SLURM did not take it back; submit it again and --resume continues"
    else
        say "not finished after $MAX_RESTARTS restarts; give it more --time, then submit it again: --resume continues"
    fi
    ;;
143) say "ended from outside; submit it again and --resume continues" ;;
4) say "some structures failed; the results of the others are written" ;;
*) say "ended with code $code" ;;
esac
exit "$code"
