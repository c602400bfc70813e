#!/bin/sh
# reachable.sh PATH... -- COMMAND...
#
# Runs COMMAND in a mount namespace of its own, in which every user can reach each PATH under its
# usual name, whatever the modes of the folders above it. Nothing outside sees the mounts.
# Needs root and the right to mount; exit code 125 where that is not given.
set -eu
if [ "${REACHABLE_INSIDE:-}" != yes ]; then
    unshare --mount true 2>/dev/null || exit 125
    REACHABLE_INSIDE=yes exec unshare --mount sh "$0" "$@"
fi
unset REACHABLE_INSIDE

stage=/mnt
mount -t tmpfs -o mode=755 tmpfs "$stage" || exit 125
count=0
for path in "$@"; do
    [ "$path" != -- ] || break
    count=$((count + 1))
    mkdir "$stage/$count"
    mount --bind "$path" "$stage/$count" || exit 125
done

open_up() { # cover the folders above $1 that other users cannot pass
    [ "$1" = / ] || open_up "$(dirname "$1")"
    case $(stat -c %a "$1" 2>/dev/null || echo 1) in
        *[1357]) ;;
        *) mount -t tmpfs -o mode=755 tmpfs "$1" || exit 125 ;;
    esac
}

number=0
while [ "$1" != -- ]; do
    number=$((number + 1))
    open_up "$(dirname "$1")"
    mkdir -p "$1"
    mount --bind "$stage/$number" "$1" || exit 125
    shift
done
shift
umount -l "$stage"
exec "$@"
