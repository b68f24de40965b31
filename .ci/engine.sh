#!/usr/bin/env bash
# Makes a container engine with Compose and BuildKit available. Does nothing where there is one already.
#
# Elsewhere than on Debian as root it installs nothing: it says what is missing and ends with 1.
set -euo pipefail

readonly PLUGINS=/usr/local/lib/docker/cli-plugins
readonly LOG=${BERTBUILD_DOCKERD_LOG:-/var/log/bertbuild-dockerd.log}
readonly SECONDS_TO_START=60

say() { echo "engine: $*" >&2; }
fail() { say "$*"; exit 1; }

answers() { docker info >/dev/null 2>&1; }

require_debian_root() {
    [[ $(id -u) == 0 ]] || fail "$1, and only root can install it. Start or install Docker, then run this again."
    command -v apt-get >/dev/null || fail "$1, and this is no Debian to install it on. Install Docker, then run this again."
}

install_packages() {
    say "installing $*"
    apt-get update -qq
    DEBIAN_FRONTEND=noninteractive apt-get install -qq -y --no-install-recommends "$@" >/dev/null
}

# Debian 12 has no Compose v2; the next release has, as single static programs that need nothing else from there.
# They come through an apt configuration of their own, so that the machine's own package lists stay as they are.
install_plugins() {
    local mirror work deb
    apt-get update -qq
    # shellcheck disable=SC2016 # apt-get's own variable
    mirror=$(apt-get indextargets --format '$(REPO_URI)' 'Created-By: Packages' 'Label: Debian' | head -n 1)
    [[ -n $mirror ]] || fail "apt knows no Debian mirror to take Compose from. Add one to its sources, then run this again."
    say "installing Compose and buildx as plug-ins"
    work=$(mktemp -d)
    mkdir -p "$work/lists/partial" "$work/archives/partial" "$work/unpacked"
    echo "deb [signed-by=/usr/share/keyrings/debian-archive-keyring.gpg] $mirror trixie main" >"$work/sources.list"
    local options=(
        -qq
        -o "Dir::Etc::SourceList=$work/sources.list" -o Dir::Etc::SourceParts=-
        -o "Dir::State::Lists=$work/lists" -o "Dir::Cache=$work" -o APT::Sandbox::User=root
    )
    apt-get "${options[@]}" update
    (cd "$work" && apt-get "${options[@]}" download docker-compose docker-buildx)
    for deb in "$work"/*.deb; do dpkg-deb -x "$deb" "$work/unpacked"; done
    mkdir -p "$PLUGINS"
    find "$work/unpacked" -path '*/cli-plugins/docker-*' -type f -exec install -m 755 -t "$PLUGINS" {} +
    rm -rf "$work"
}

# A killed daemon leaves its pid behind. Once another process has that number, Docker takes it for the daemon and waits.
forget_killed_daemons() {
    local file name
    for name in dockerd:/var/run/docker.pid containerd:/var/run/docker/containerd/containerd.pid; do
        file=${name#*:}
        if [[ -f $file ]] && [[ $(cat "/proc/$(cat "$file")/comm" 2>/dev/null) != "${name%%:*}" ]]; then rm -f "$file"; fi
    done
}

start_daemon() {
    forget_killed_daemons
    say "starting dockerd (log: $LOG)"
    setsid dockerd >"$LOG" 2>&1 </dev/null &
    local daemon=$!
    for ((i = 0; i < SECONDS_TO_START; i++)); do
        answers && return
        kill -0 "$daemon" 2>/dev/null || break
        sleep 1
    done
    tail -n 20 "$LOG" >&2
    fail "dockerd did not start; its last lines are above. Mend what they say, then run this again."
}

if ! command -v docker >/dev/null || { ! answers && ! command -v dockerd >/dev/null; }; then
    require_debian_root "Docker is not installed"
    install_packages docker.io iptables ca-certificates
fi
if ! docker compose version >/dev/null 2>&1 || ! docker buildx version >/dev/null 2>&1; then
    require_debian_root "Docker's Compose or buildx plug-in is missing"
    install_plugins
fi
if ! answers; then
    [[ $(id -u) == 0 ]] || fail "no Docker daemon answers. Start it (systemctl start docker), then run this again."
    start_daemon
fi
say "Docker $(docker version --format '{{.Server.Version}}'), $(docker compose version)"
