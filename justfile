# The daily commands. Each is a script or a cargo command that also works without just.

# Lists the recipes.
default:
    @just --list

# A whole batch against the sandbox, in a minute.
demo:
    scripts/demo

# All tests, on both databases: `just test --package store claims_`.
test *arguments:
    scripts/test {{ arguments }}

# Random operations on the real programs: `just random-operations 3600 sqlite`.
random-operations seconds *database:
    scripts/random-operations {{ seconds }} {{ database }}

# All fuzz targets, or some, for so many seconds each: `just fuzz 300 csv`.
fuzz seconds *targets:
    scripts/fuzz {{ seconds }} {{ targets }}

# A command with a throw-away Postgres: `just postgres cargo test --package store`.
postgres +command:
    scripts/postgres -- {{ command }}

# Formats everything.
fmt:
    cargo fmt --all

# Formatting and lints, so that reviewers don't have to check them.
lint:
    cargo fmt --all --check
    cargo clippy --workspace --all-targets --locked -- -D warnings
    shellcheck scripts/demo scripts/random-operations scripts/fuzz scripts/test scripts/postgres scripts/need scripts/enqueue-batch scripts/check-migrations scripts/check-readme scripts/check-image scripts/image scripts/package scripts/release .ci/run deploy/debian/* deploy/docker/init.sh

# Licences, sources and known vulnerabilities of the dependencies.
deny:
    cargo deny check

# The migrations of both databases.
check-migrations:
    scripts/check-migrations

# Enqueues the files of a drop folder: `just enqueue-batch drop --max-credits ocean=500`.
enqueue-batch folder *options:
    scripts/enqueue-batch {{ folder }} -- {{ options }}

# A ready query on a SQLite database: `just status stuck reveal.db`; see scripts/status.
status query="progress" database="reveal.db":
    sqlite3 -box {{ database }} < scripts/status/{{ query }}.sql

# Everything that must pass before a change is taken.
ci:
    .ci/run
