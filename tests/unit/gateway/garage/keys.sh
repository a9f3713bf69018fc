#!/bin/sh
# A certificate that signed itself, its key, and a key that is not its own: keys.sh CERTIFICATE KEY OTHER.
set -e
openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -subj /CN=localhost \
    -addext subjectAltName=DNS:localhost -days 3650 -out "$1" -keyout "$2" 2>/dev/null
openssl genpkey -algorithm EC -pkeyopt ec_paramgen_curve:prime256v1 -out "$3" 2>/dev/null
