#!/bin/sh
# Creates the workers' role and database. The role owns its database and may do nothing else.
set -eu

psql --no-psqlrc --set=ON_ERROR_STOP=1 --username "${POSTGRES_USER:-postgres}" --dbname postgres \
    --set=password="$REVEAL_PASSWORD" <<'SQL'
CREATE ROLE reveal LOGIN PASSWORD :'password' NOSUPERUSER NOCREATEDB NOCREATEROLE NOREPLICATION;
CREATE DATABASE reveal OWNER reveal;
REVOKE ALL ON DATABASE reveal FROM PUBLIC;
SQL
