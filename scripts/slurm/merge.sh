#!/usr/bin/env bash
# After a job array: one summary.csv over all shards. See array.sh for how to submit it; by hand it is
#
#   md-sensitivity report outputs
#
#SBATCH --job-name=md-sensitivity-merge
#SBATCH --ntasks=1
#SBATCH --cpus-per-task=1
#SBATCH --time=00:30:00
#SBATCH --output=%x-%j.log

set -euo pipefail

# source "$HOME/venvs/md_sensitivity/bin/activate"
PROGRAM=${PROGRAM:-md-sensitivity}

srun --ntasks=1 "$PROGRAM" report "${1:?give the output folder of the array}"
