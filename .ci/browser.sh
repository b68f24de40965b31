#!/usr/bin/env bash
# Makes a headless Chromium and its driver available, for the tests of pages. Does nothing where there are both already.
#
# Elsewhere than on Debian as root it installs nothing: it says what is missing and ends with 1.
set -euo pipefail

say() { echo "browser: $*" >&2; }

if ! command -v chromium >/dev/null || ! command -v chromedriver >/dev/null; then
    if [[ $(id -u) != 0 ]] || ! command -v apt-get >/dev/null; then
        say "Chromium or its driver is missing, and only root on a Debian can install it. Install both, then run this again."
        exit 1
    fi
    say "installing Chromium and its driver"
    apt-get update -qq
    DEBIAN_FRONTEND=noninteractive apt-get install -qq -y --no-install-recommends \
        chromium chromium-driver fonts-dejavu-core >/dev/null
fi
say "$(chromedriver --version)"
