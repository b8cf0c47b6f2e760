#!/bin/sh
# Becomes the master. Wavry publishes no master image; this is what one would do.
set -eu
program=/opt/wavry/bin/wavry-master
[ -x "$program" ] || program=/usr/local/bin/wavry-master
exec "$program" "$@"
