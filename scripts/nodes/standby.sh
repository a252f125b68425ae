#!/bin/bash
# Instead of the entry point of PostgreSQL's image: a copy of the primary, once, and then a standby that follows it until it is promoted.
set -euo pipefail
export PGPASSWORD="$POSTGRES_PASSWORD"
if [ ! -s "$PGDATA/PG_VERSION" ]; then
  mkdir -p "$PGDATA"
  chown -R postgres "$PGDATA"
  chmod 700 "$PGDATA"
  # It leaves no half of a copy behind if it is broken off, so the next start begins anew.
  gosu postgres pg_basebackup --dbname 'host=primary user=replicator application_name=standby' --pgdata "$PGDATA" \
    --wal-method stream --checkpoint fast --write-recovery-conf
fi
# Once it is promoted nobody follows it yet, so its commits wait for nobody.
exec gosu postgres postgres -c synchronous_standby_names=
