#!/bin/sh
# Makes of /opt/venv what an image carries, as /tree/opt/venv: clean.sh PART EPOCH [SHARED]
#
# Without pip, without setuptools where no lock holds it, without files that no stage uses, and where SHARED is a folder,
# without what that has too; all else compiled, and of the date EPOCH.
set -eu

part=$1 epoch=$2 shared=${3:-}
if [ ! -s "$part/all.txt" ]; then  # Podman 4.3 goes on where it could not mount a stage's folder, without any package
    echo "The parts of the lock file are not mounted. Build the images with Docker and BuildKit (docs/docker.md)." >&2
    exit 1
fi
if ! grep -q '^setuptools==' "$part/all.txt"; then /opt/venv/bin/python -m pip uninstall --yes setuptools; fi
/opt/venv/bin/python -m pip uninstall --yes pip
python /recipe/unused.py /opt/venv/lib/python3*/site-packages /recipe/unused.txt
if [ -n "$shared" ]; then python /recipe/unused.py --same-as "$shared" /opt/venv; fi
# In groups that are the same every time, each in a process of its own: compileall's -j gives files to whichever is free.
if [ -d /opt/venv/lib ]; then
    find /opt/venv/lib -name '*.py' -print0 | LC_ALL=C sort -z | xargs -0 -r -n 200 -P "$(nproc)" \
        python -W ignore -m compileall -q -f --invalidation-mode unchecked-hash
fi
mkdir -p /tree/opt
mv /opt/venv /tree/opt/venv
find /tree -exec touch --no-dereference --date="@$epoch" {} +
