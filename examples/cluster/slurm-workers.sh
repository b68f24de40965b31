#!/usr/bin/env bash
# Fifty workers as jobs of Slurm: sbatch examples/cluster/slurm-workers.sh; scancel --name bertbuild-worker ends them.
#SBATCH --job-name=bertbuild-worker
#SBATCH --array=1-50
#SBATCH --ntasks=1
#SBATCH --cpus-per-task=4
#SBATCH --mem=18G
#SBATCH --time=12:00:00
#SBATCH --output=bertbuild-worker-%A-%a.log
set -euo pipefail

export BERTBUILD_SCHEDULER=tls://scheduler.example.com:8786
export BERTBUILD_CERTIFICATES=$HOME/.config/bertbuild/cluster
export BERTBUILD_REMOTE=oci://registry.example.com/team/bertbuild
export BERTBUILD_REMOTE_TRUST=ed25519:0000000000000000000000000000000000000000000000000000000000000000
export BERTBUILD_REMOTE_WRITE=true
export BERTBUILD_REMOTE_KEY=$HOME/.config/bertbuild/remote.pem
export BERTBUILD_ISOLATION=venv
export BERTBUILD_ARTIFACTS=${TMPDIR:-/tmp}/bertbuild-$SLURM_JOB_ID # the node's own disk: results go to the remote store
trap 'rm -rf "$BERTBUILD_ARTIFACTS"' EXIT

# Slurm's signal reaches the script alone, so it waits for the worker, and hands the signal on, also one that comes at once.
trap 'kill -TERM $!' TERM INT
bertbuild worker --backend data,tf1,openvino --jobs 2 --memory 16g --name "$(hostname -s)-$SLURM_ARRAY_TASK_ID" &
worker=$!
status=0
wait "$worker" || status=$?
if ((status > 128)); then # a signal ended that wait: now the worker ends
    ended=0
    wait "$worker" || ended=$?
    ((ended == 127)) || status=$ended # 127: it had ended already
fi
exit "$status"
