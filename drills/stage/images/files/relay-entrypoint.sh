#!/bin/sh
# Becomes the relay: without lease checks where that is asked for, else only with the master's public key.
set -eu
program=/opt/wavry/bin/wavry-relay
[ -x "$program" ] || program=/usr/local/bin/wavry-relay
if [ "${WAVRY_RELAY_ALLOW_INSECURE_DEV:-}" = 1 ]; then
  export WAVRY_ALLOW_INSECURE_RELAY=1
  exec "$program" --allow-insecure-dev "$@"
fi
if [ -z "${WAVRY_RELAY_MASTER_PUBLIC_KEY:-}" ]; then
  echo "WAVRY_RELAY_MASTER_PUBLIC_KEY is not set, and WAVRY_RELAY_ALLOW_INSECURE_DEV is not 1" >&2
  exit 64
fi
exec "$program" --master-public-key "$WAVRY_RELAY_MASTER_PUBLIC_KEY" "$@"
