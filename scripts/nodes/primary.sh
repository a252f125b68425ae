#!/bin/bash
# Run once by the image of PostgreSQL, as the primary's cluster is made: who may copy it, and that each commit waits for the standby.
set -euo pipefail
psql --username "$POSTGRES_USER" --set ON_ERROR_STOP=1 --set password="$POSTGRES_PASSWORD" <<'SQL'
CREATE ROLE replicator REPLICATION LOGIN PASSWORD :'password';
-- In force once this script is done: until then there is nobody whom a commit could wait for.
ALTER SYSTEM SET synchronous_standby_names = 'standby';
SQL
echo 'host replication replicator all scram-sha-256' >>"$PGDATA/pg_hba.conf"
