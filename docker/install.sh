#!/bin/sh
# Installs packages into /opt/venv: install.sh PART [INDEX]
#
# PART is a part of a lock (split_lock.py): requirements.txt, build-tools.txt, no-binary.txt; or a folder with a script
# install-NAME.sh, which is given INDEX, or the one that the secret neuron_index_url names. Secrets are used as pip takes
# them.
set -eu

part=$1
if [ -s /run/secrets/ca ]; then export PIP_CERT=/run/secrets/ca; fi
if [ -s /run/secrets/pip_conf ]; then export PIP_CONFIG_FILE=/run/secrets/pip_conf; fi
if [ -s /run/secrets/index_url ]; then PIP_INDEX_URL="$(cat /run/secrets/index_url)"; export PIP_INDEX_URL; fi
index=${2:-}
if [ -s /run/secrets/neuron_index_url ]; then index="$(cat /run/secrets/neuron_index_url)"; fi

# --no-compile, since PIP_NO_COMPILE=1 means the opposite to pip: its byte-code holds the date of the source, which clean.sh
# changes, so that Python would compile all again at every start.
# The lock is whole, so nothing is installed for being asked for: what excluded.txt names is asked for and not used.
lock() {
    /opt/venv/bin/python -m pip install --no-compile --no-deps --require-hashes --only-binary :all: "$@"
}

for script in "$part"/install-*.sh; do
    if [ -e "$script" ]; then sh "$script" "$part" "$index"; fi
done
if [ -s "$part/build-tools.txt" ]; then lock -r "$part/build-tools.txt"; fi
if [ -s "$part/requirements.txt" ]; then
    # shellcheck disable=SC2046 # one option a line
    lock $(cat "$part/no-binary.txt") -r "$part/requirements.txt"
fi
