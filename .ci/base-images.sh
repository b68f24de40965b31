#!/usr/bin/env bash
# Prints, as lines to `eval`, which base images to build on where the public ones cannot be had; nothing where they can.
#
# Where no image registry answers, stand-ins are made of Debian's packages and of this machine's own CPythons (pyenv's).
# They hold what the public slim images hold in the places where those have it, and say "stand-in" in their names; they
# are for tests on closed machines, not for publishing. A base that is already named in the environment is kept.
set -euo pipefail

here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
readonly ROOT=${here%/*}
readonly CACHE=${BERTBUILD_CI_CACHE:-${XDG_CACHE_HOME:-$HOME/.cache}/bertbuild-ci}
readonly ROOTFS=$CACHE/debian-bookworm.tar
readonly DEBIAN=bertbuild-stand-in/debian:bookworm-slim
readonly PACKAGES=ca-certificates,libbz2-1.0,libexpat1,libffi8,liblzma5,libncursesw6,libreadline8,libsqlite3-0,libssl3,libuuid1,zlib1g

say() { echo "base images: $*" >&2; }
fail() { say "$*"; exit 1; }
exists() { docker image inspect "$1" >/dev/null 2>&1; }

make_debian() {
    exists "$DEBIAN" && return
    if [[ ! -s $ROOTFS ]]; then
        say "making a Debian root of packages"
        if ! command -v mmdebstrap >/dev/null; then
            apt-get update -qq
            DEBIAN_FRONTEND=noninteractive apt-get install -qq -y --no-install-recommends mmdebstrap >/dev/null
        fi
        mkdir -p "$CACHE"
        local mirror
        # shellcheck disable=SC2016 # apt-get's own variable
        mirror=$(apt-get indextargets --format '$(REPO_URI)' 'Created-By: Packages' 'Label: Debian' | head -n 1)
        mmdebstrap --quiet --format=tar --mode=root --variant=minbase --include="$PACKAGES" \
            --dpkgopt='path-exclude=/usr/share/doc/*' --dpkgopt='path-exclude=/usr/share/man/*' \
            --dpkgopt='path-exclude=/usr/share/locale/*' \
            bookworm "$ROOTFS.part" "deb $mirror bookworm main"
        mv "$ROOTFS.part" "$ROOTFS"
    fi
    docker import "$ROOTFS" "$DEBIAN" >/dev/null
}

# make_python 3.7: the newest CPython 3.7 that pyenv has here, moved to /usr/local as in the public images.
make_python() {
    local version=$1 image=bertbuild-stand-in/python:$1-slim-bookworm prefix context
    exists "$image" && return
    make_debian
    prefix=$(find "$(pyenv root)/versions" -mindepth 1 -maxdepth 1 -name "$version.*" 2>/dev/null | sort -V | tail -n 1)
    [[ -n $prefix ]] || fail "pyenv has no CPython $version to make a stand-in of. Run: pyenv install $version"
    say "making $image of CPython ${prefix##*/}"
    context=$(mktemp -d)
    mkdir "$context/python"
    tar -C "$prefix" --exclude=__pycache__ --exclude='*.a' --exclude="lib/python$version/site-packages/*" \
        --exclude="lib/python$version/test" --exclude="lib/python$version/*/test" --exclude="lib/python$version/*/tests" \
        -c "bin/python" "bin/python3" "bin/python$version" include lib | tar -C "$context/python" --no-same-owner -x
    printf '%s\n' "FROM $DEBIAN" 'COPY python /usr/local' \
        'RUN ldconfig && python -m ensurepip' \
        'CMD ["python3"]' >"$context/Dockerfile"
    DOCKER_BUILDKIT=1 docker build --quiet --tag "$image" --label org.bertbuild.stand-in=true "$context" >/dev/null
    rm -rf "$context"
}

# choose BERTBUILD_BASE_PYTHON37 3.7: the base in the environment, or the public one, or else a stand-in.
choose() {
    local variable=$1 version=$2 public
    [[ -z ${!variable:-} ]] || { echo "export $variable=${!variable}"; return; }
    public=$(sed -n "s/^ARG $variable=//p" "$ROOT/docker/Dockerfile")
    if exists "$public" || timeout 20 docker manifest inspect "$public" >/dev/null 2>&1; then return; fi
    make_python "$version"
    echo "export $variable=bertbuild-stand-in/python:$version-slim-bookworm"
}

choose BERTBUILD_BASE_PYTHON37 3.7
choose BERTBUILD_BASE_PYTHON311 3.11
