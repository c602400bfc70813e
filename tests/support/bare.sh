#!/bin/sh
# bare.sh FOLDER COMMAND...
#
# Runs COMMAND in FOLDER as a user that the system does not know, with no environment but PATH and
# PYTHONPATH, in a mount namespace in which everything else, temporary folders too, is read-only.
# Needs root and the right to mount; exit code 125 where that is not given.
set -eu
if [ "${BARE_INSIDE:-}" != yes ]; then
    unshare --mount true 2>/dev/null || exit 125
    BARE_INSIDE=yes exec unshare --mount sh "$0" "$@"
fi
folder=$1
shift
mount --make-rprivate / || exit 125
mount --bind "$folder" "$folder" || exit 125
for temporary in /tmp /var/tmp /usr/tmp /dev/shm; do
    [ ! -d "$temporary" ] || mount --rbind "$temporary" "$temporary"
    [ ! -d "$temporary" ] || mount -o bind,remount,ro "$temporary" || exit 125
done
# The folder may lie in a temporary one.
mount --bind "$folder" "$folder"
mount -o bind,remount,rw "$folder"
mount -o bind,remount,ro / || exit 125
cd "$folder"
exec setpriv --reuid=54321 --regid=54321 --clear-groups \
    env -i PATH="$PATH" PYTHONPATH="$PYTHONPATH" PYTHONDONTWRITEBYTECODE=1 "$@"
