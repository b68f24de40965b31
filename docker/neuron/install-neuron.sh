#!/bin/sh
# Installs what requirements-neuron.in names into /opt/venv: install-neuron.sh FOLDER INDEX
#
# FOLDER holds requirements-neuron.in and wheels/. Wheels there take the place of INDEX, the address of a package index
# that is asked besides the usual one. What is installed already keeps its version.
set -eu

folder=$1
index=$2

missing() {
    echo "tensorflow-neuron and neuron-cc could not be installed. They come from AWS's package index, which is" \
        "https://pip.repos.neuron.amazonaws.com (BERTBUILD_NEURON_INDEX_URL names another), or as wheels from" \
        "docker/neuron/wheels; PyPI's packages of these names are empty." >&2
    exit 1
}

/opt/venv/bin/python -m pip freeze --all >/tmp/constraints.txt
if ls "$folder"/wheels/*.whl >/dev/null 2>&1; then
    set -- --find-links "$folder/wheels"
else
    host=$(printf '%s' "$index" | sed 's,^[a-z]*://,,; s,^[^/]*@,,; s,/.*,,')
    case $index in
        http://*) set -- --extra-index-url "$index" --trusted-host "$host" ;;
        *) set -- --extra-index-url "$index" ;;
    esac
fi
/opt/venv/bin/python -m pip install --no-compile --only-binary :all: --constraint /tmp/constraints.txt "$@" \
    --requirement "$folder/requirements-neuron.in" || missing
/opt/venv/bin/neuron-cc --version || missing
/opt/venv/bin/python -W ignore -c 'import tensorflow.neuron' || missing
rm /tmp/constraints.txt
