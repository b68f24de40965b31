#!/usr/bin/env bash
# Installs Debian's docker-registry, which tests of the remote store start by themselves. Elsewhere than on Debian as root
# it installs nothing, and these tests are skipped.
set -euo pipefail

command -v docker-registry >/dev/null && exit 0
if [[ $(id -u) != 0 ]] || ! command -v apt-get >/dev/null; then
    echo "registry: not installed, so its tests are skipped; only root can install it, on Debian" >&2
    exit 0
fi
echo "registry: installing docker-registry" >&2
apt-get update -qq
DEBIAN_FRONTEND=noninteractive apt-get install -qq -y --no-install-recommends docker-registry >/dev/null
