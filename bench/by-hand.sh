#!/usr/bin/env bash
# The sequence that a careful person runs by hand, as in a hand-written diagnostics report: health of the local backend and of
# production, DNS, the certificate chain, and ten requests 100 ms apart for the rate limit.
# usage: by-hand.sh HOST RESOLVER CA_FILE LOCAL_URL
set -u
host=$1 resolver=$2 ca=$3 local=$4
paths=(/api/support/health /health /api/webhooks/stripe/health)

for path in "${paths[@]}"; do curl -s -i "$local$path"; done
for path in "${paths[@]}"; do curl -s -i --cacert "$ca" "https://$host$path"; done
getent ahosts "$host"
for type in A AAAA NS CAA; do dig +short "@$resolver" "$host" "$type"; done
openssl s_client -connect "$host:443" -servername "$host" -CAfile "$ca" -showcerts </dev/null 2>/dev/null |
  openssl x509 -noout -subject -issuer -dates
for _ in 1 2 3 4 5 6 7 8 9 10; do
  curl -s -o /dev/null -w '%{http_code}\n' --cacert "$ca" "https://$host${paths[0]}"
  sleep 0.1
done
