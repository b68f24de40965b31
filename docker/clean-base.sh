#!/bin/sh
# Lays below /tree what an image has of its base in another form: clean-base.sh EPOCH
#
# The byte-code of the standard library, and the programs that are set-uid or set-gid in the base, without these bits; all
# at their places, and of the date EPOCH.
set -eu

epoch=$1
# Without links, and relative to /: below /tree a link would be a folder.
library=$(python -c 'import os, sysconfig; print(os.path.relpath(os.path.realpath(sysconfig.get_path("stdlib")), "/"))')
cd /
mkdir /tree
python -W ignore -m compileall -q -f --invalidation-mode unchecked-hash \
    -x '/(site-packages|test|tests|idlelib|lib2to3)/' "/$library"
find "$library" -name '*.pyc' -exec cp --parents --preserve=mode,ownership --target-directory=/tree {} +
find . -xdev -type f -perm /6000 -not -path './tree/*' -exec chmod a-s {} + \
    -exec cp --parents --preserve=mode,ownership --target-directory=/tree {} +
find /tree -exec touch --date="@$epoch" {} +
