#!/bin/sh
# Makes the SQLite file that DATABASE_URL names, because the gateway only opens one that is there; then becomes the
# gateway. What is not understood is passed on as it is: the gateway says what is wrong with it.
set -eu
url=${DATABASE_URL:-sqlite:gateway.db}
case $url in
  sqlite:///*) file=${url#sqlite://} ;;
  sqlite:*) file=${url#sqlite:} ;;
  *) file= ;;
esac
if [ -n "$file" ]; then
  mkdir -p "$(dirname "$file")"
  touch "$file"
fi
program=/opt/wavry/bin/wavry-gateway
[ -x "$program" ] || program=/usr/local/bin/wavry-gateway
exec "$program" "$@"
