-- The ledger. Times are milliseconds since 1970 (UTC); the views show them as text.
-- Credits are thousandths, whole numbers; the views show them as decimals.
-- docs/architecture.md has the map; docs/job-lifecycle.md says which operation moves which state.

-- Single values, such as the stamp (live or sandbox).
CREATE TABLE settings (
    name  TEXT PRIMARY KEY,
    value TEXT NOT NULL
);

-- Keys made by the software itself: for webhook signatures (the newest signs) and for the hashes
-- of erased people.
CREATE TABLE secrets (
    id         INTEGER PRIMARY KEY AUTOINCREMENT,
    purpose    TEXT   NOT NULL,
    secret     TEXT   NOT NULL,
    created_at BIGINT NOT NULL
);

-- Ids for reveals are handed out from this row, a block at a time. The row is locked while a chunk
-- of rows is resolved to reveals, so two concurrent submits cannot make the same person twice.
CREATE TABLE reveal_ids (
    one                 BIGINT PRIMARY KEY CHECK (one = 1),
    next                BIGINT NOT NULL,
    suppression_version BIGINT NOT NULL DEFAULT 0  -- changes whenever something is suppressed
);
INSERT INTO reveal_ids (one, next) VALUES (1, 1);

CREATE TABLE batches (
    id              INTEGER PRIMARY KEY AUTOINCREMENT,
    batch_id        TEXT   NOT NULL UNIQUE,
    name            TEXT,
    header          TEXT,                      -- JSON array of the caller's columns; NULL for JSON Lines
    form            TEXT,                      -- JSON: format, separator, byte order mark, line end and sheet of the file
    keys            TEXT,                      -- JSON Lines: JSON array of the keys, in the order of their first use
    sources         TEXT,                      -- JSON array: the absolute paths of the submitted files
    priority        BIGINT NOT NULL DEFAULT 0,
    wants_mobile    BIGINT NOT NULL DEFAULT 0, -- 1: a row without a mobile number goes on to its next provider
    idempotency_key TEXT UNIQUE,
    content_hash    TEXT,
    created_at      BIGINT NOT NULL,
    loader_seen_at  BIGINT NOT NULL,           -- a loading batch that stays silent counts as abandoned
    took_over       BIGINT NOT NULL DEFAULT 0, -- 1: while loading, it took people over from other loading batches
    owners_due      BIGINT NOT NULL DEFAULT 0, -- 1: once published, it may become the owner of shared people
    published_at    BIGINT,                    -- NULL while it is loading: no view shows it, no worker claims from it
    finished_at     BIGINT,
    cancelled_at    BIGINT,
    total           BIGINT NOT NULL DEFAULT 0
);
CREATE INDEX batches_loading ON batches (loader_seen_at) WHERE published_at IS NULL;
CREATE INDEX batches_unfinished ON batches (id) WHERE finished_at IS NULL;

-- How many rows of a batch show which state, by the provider of the reveal they show, and what the
-- batch asked and paid. Every change updates the counts in its own transaction, so that no view counts rows.
CREATE TABLE batch_totals (
    batch_id         BIGINT NOT NULL REFERENCES batches (id) ON DELETE CASCADE,
    provider         TEXT   NOT NULL,
    queued           BIGINT NOT NULL DEFAULT 0,
    asked            BIGINT NOT NULL DEFAULT 0, -- shown as sending or awaiting, by the state of their calls
    retrying         BIGINT NOT NULL DEFAULT 0,
    found            BIGINT NOT NULL DEFAULT 0,
    not_found        BIGINT NOT NULL DEFAULT 0,
    failed           BIGINT NOT NULL DEFAULT 0,
    expired          BIGINT NOT NULL DEFAULT 0,
    cancelled        BIGINT NOT NULL DEFAULT 0,
    people_asked     BIGINT NOT NULL DEFAULT 0,
    people_found     BIGINT NOT NULL DEFAULT 0,
    people_not_found BIGINT NOT NULL DEFAULT 0,
    credits_reserved BIGINT NOT NULL DEFAULT 0,
    credits_spent    BIGINT NOT NULL DEFAULT 0,
    credits_looked_up BIGINT NOT NULL DEFAULT 0, -- the part of credits_spent that lookups cost
    written_off      BIGINT NOT NULL DEFAULT 0, -- reserved for people who expired: perhaps spent
    served           BIGINT NOT NULL DEFAULT 0, -- times served while others of its priority waited: the lowest is next
    max_credits      BIGINT,
    person_price     BIGINT NOT NULL DEFAULT 0, -- the most that one more person may cost, as of the last claim
    at_ceiling       BIGINT NOT NULL GENERATED ALWAYS AS ( -- 1: one more person might pass max_credits
        CASE WHEN max_credits - credits_reserved - credits_spent - written_off < person_price THEN 1 ELSE 0 END
    ) STORED,
    updates          BIGINT NOT NULL DEFAULT 0,
    epoch            BIGINT NOT NULL GENERATED ALWAYS AS (updates / 64) STORED, -- grows with every few updates
    PRIMARY KEY (batch_id, provider)
);
CREATE INDEX batch_totals_epoch ON batch_totals (batch_id, provider, epoch);

-- One person at one provider, once: the unit that is paid for.
CREATE TABLE reveals (
    id          INTEGER PRIMARY KEY,
    provider    TEXT   NOT NULL,
    subject     TEXT   NOT NULL,               -- the identifier it is asked by, as jobs::Identifier encodes it
    generation  BIGINT NOT NULL DEFAULT 0,     -- a refresh, or a repeat paid for on purpose, is a new one
    state       TEXT   NOT NULL,
    reason      TEXT,
    attempts    BIGINT NOT NULL DEFAULT 0,
    due_at      BIGINT,                        -- when a retrying reveal is queued again
    owner       BIGINT,                        -- the batch for which it is queued
    unclaimed   BIGINT NOT NULL DEFAULT 0,     -- 1: came with its owner and was never claimed; found by its unclaimed range
    isolation_group BIGINT,                    -- people asked for together, isolated from other people
    call_id     BIGINT,                        -- its current call, or its last one
    repeat_of   BIGINT,                        -- the call that its next call repeats
    credits     BIGINT NOT NULL DEFAULT 0,
    asked_at    BIGINT,
    revealed_at BIGINT,
    updated_at  BIGINT NOT NULL,
    -- Index keys. Each is set only while its index needs the row, so that other updates leave the indexes alone.
    queue_owner  BIGINT GENERATED ALWAYS AS (CASE WHEN state = 'queued' AND isolation_group IS NULL AND unclaimed = 0
                     AND NOT (provider = 'ocean' AND substr(subject, 1, 16) = 'linkedin.com/in/') THEN owner END) VIRTUAL,
    lookup_owner BIGINT GENERATED ALWAYS AS (CASE WHEN state = 'queued' AND isolation_group IS NULL -- to be looked up at Ocean first
                     AND provider = 'ocean' AND substr(subject, 1, 16) = 'linkedin.com/in/' THEN owner END) VIRTUAL,
    queue_group  BIGINT GENERATED ALWAYS AS (CASE WHEN state = 'queued' THEN isolation_group END) VIRTUAL,
    retry_at     BIGINT GENERATED ALWAYS AS (CASE WHEN state = 'retrying' THEN due_at END) VIRTUAL,
    ended_badly  BIGINT GENERATED ALWAYS AS (CASE WHEN state IN ('failed', 'expired') THEN id END) VIRTUAL,
    UNIQUE (provider, subject, generation)
);
CREATE INDEX reveals_queue ON reveals (queue_owner, provider, id) WHERE queue_owner IS NOT NULL;
CREATE INDEX reveals_lookup ON reveals (lookup_owner, id) WHERE lookup_owner IS NOT NULL;
CREATE INDEX reveals_isolated ON reveals (provider, queue_group) WHERE queue_group IS NOT NULL;
CREATE INDEX reveals_retrying ON reveals (provider, retry_at) WHERE retry_at IS NOT NULL;
CREATE INDEX reveals_ended_badly ON reveals (ended_badly) WHERE ended_badly IS NOT NULL;

-- The ids of the people who came with a batch, from the first that was never claimed: claims read them as a range, without
-- an index of the queue.
CREATE TABLE unclaimed_ranges (
    batch_id BIGINT NOT NULL REFERENCES batches (id) ON DELETE CASCADE,
    provider TEXT NOT NULL,
    next     BIGINT NOT NULL,
    last     BIGINT NOT NULL,
    PRIMARY KEY (batch_id, provider)
);

-- The evidence for identities: two identifiers that were on one row, or that one answer named for a person, in both
-- directions, and the first row with both. Persons are derived from all links.
CREATE TABLE identity_links (
    identifier TEXT NOT NULL,
    other      TEXT NOT NULL,
    batch_id   BIGINT,                         -- NULL: from an answer, or from several loading batches
    row_number BIGINT,
    PRIMARY KEY (identifier, other)
) WITHOUT ROWID;

-- Identifiers that a user has split, in both directions. They are never one person, even if rows link them.
CREATE TABLE identity_splits (
    identifier TEXT NOT NULL,
    other      TEXT NOT NULL,
    PRIMARY KEY (identifier, other)
) WITHOUT ROWID;

-- Pairs of reveals that a loading batch found to be one person. The winner replaces the loser when the batch is published.
CREATE TABLE batch_merges (
    batch_id BIGINT NOT NULL,
    loser    BIGINT NOT NULL,
    winner   BIGINT NOT NULL,
    PRIMARY KEY (batch_id, loser)
) WITHOUT ROWID;

-- A line of the user's file. Has rowids, unlike the tables whose rows are little more than their key. The lines of a
-- large file come in the order of the index of reveals, and stay in that order.
CREATE TABLE batch_rows (
    batch_id   BIGINT NOT NULL,
    row_number BIGINT NOT NULL,
    fields     TEXT   NOT NULL,                -- JSON: an array in the header's order, or the submitted object
    reveal_id  BIGINT,                         -- the reveal that the row shows
    kept_id    BIGINT,                         -- an earlier step whose numbers the row keeps in addition
    shared     BIGINT NOT NULL DEFAULT 0,      -- 1: another row pays for it
    ended      TEXT,                           -- the reason why the row ended, regardless of its reveal
    ended_at   BIGINT,
    PRIMARY KEY (batch_id, row_number)
);
CREATE INDEX batch_rows_reveal ON batch_rows (reveal_id);

-- Bad rows that a submit left out, for exports that include them.
CREATE TABLE rejected_rows (
    batch_id  BIGINT NOT NULL,
    position  BIGINT NOT NULL,                 -- among the bad rows of the batch, from 1
    after_row BIGINT NOT NULL,                 -- the batch's row before it in the file; 0: before the first
    fields    TEXT   NOT NULL,                 -- as in batch_rows
    reason    TEXT   NOT NULL,                 -- the error message
    PRIMARY KEY (batch_id, position)
);

-- The providers that a row asks, in their order; only for rows with more than one.
CREATE TABLE row_waterfall (
    batch_id   BIGINT NOT NULL,
    row_number BIGINT NOT NULL,
    step       BIGINT NOT NULL,
    reveal_id  BIGINT NOT NULL,
    PRIMARY KEY (batch_id, row_number, step)
) WITHOUT ROWID;
CREATE INDEX row_waterfall_reveal ON row_waterfall (reveal_id);

-- One request that may cost credits: a reveal or a lookup. Written before its first byte leaves; never reused.
CREATE TABLE calls (
    id          INTEGER PRIMARY KEY AUTOINCREMENT,
    call_id     TEXT   NOT NULL UNIQUE,
    provider    TEXT   NOT NULL,
    kind        TEXT   NOT NULL DEFAULT 'reveal', -- or lookup, which asks for ids, not for numbers
    state       TEXT   NOT NULL,
    worker_id   TEXT   NOT NULL,
    people      BIGINT NOT NULL,
    open_people BIGINT NOT NULL,               -- people without a result yet
    attempt     BIGINT NOT NULL,
    probe       BIGINT NOT NULL DEFAULT 0,
    sent_at     BIGINT NOT NULL,
    finished_at BIGINT,                        -- when the request was answered or abandoned
    http_status BIGINT,
    outcome     TEXT,
    tracking_id TEXT,
    repeat_of   BIGINT,
    number_price BIGINT,                       -- price of a number, if numbers are charged and the plan was known
    deadline_at BIGINT,                        -- set while a result may still come
    poll_at     BIGINT,                        -- when its tracking id is polled next
    polls       BIGINT NOT NULL DEFAULT 0,
    poll_lease  TEXT                           -- the lease token of the poll that is under way
);
CREATE INDEX calls_sending ON calls (sent_at) WHERE state = 'sending';
CREATE INDEX calls_deadline ON calls (provider, deadline_at) WHERE deadline_at IS NOT NULL;
CREATE INDEX calls_poll ON calls (provider, poll_at) WHERE poll_at IS NOT NULL;
CREATE INDEX calls_unknown ON calls (provider, sent_at) WHERE state = 'unknown';

-- The people of a call, and the batch that pays for each. Kept with the call, so that a webhook always finds its people.
CREATE TABLE call_reveals (
    call_id   BIGINT NOT NULL,
    position  BIGINT NOT NULL,
    reveal_id BIGINT NOT NULL,
    payer     BIGINT NOT NULL,
    reserved  BIGINT NOT NULL,                 -- negative: given back; the request was refused, not sent or without credits
    credits   BIGINT,                          -- NULL until the call has a result for the person, or was refused
    PRIMARY KEY (call_id, position)
) WITHOUT ROWID;

-- Requests that cost no credits: polls of a tracking id and balances.
CREATE TABLE free_requests (
    id          INTEGER PRIMARY KEY AUTOINCREMENT,
    call_id     TEXT   NOT NULL,
    provider    TEXT   NOT NULL,
    kind        TEXT   NOT NULL,
    attempt     BIGINT NOT NULL,
    sent_at     BIGINT NOT NULL,
    finished_at BIGINT,
    http_status BIGINT,
    outcome     TEXT,
    tracking_id TEXT
);

CREATE TABLE phones (
    reveal_id BIGINT NOT NULL,
    position  BIGINT NOT NULL,
    raw       TEXT   NOT NULL,
    e164      TEXT,
    extension TEXT,                            -- dialled after e164; part of raw where e164 is NULL
    kind      TEXT,                            -- the provider's name for the type
    type      TEXT,                            -- mobile, fixed_line, …: from kind, else from the numbering plan
    country   TEXT,                            -- ISO 3166
    PRIMARY KEY (reveal_id, position)
) WITHOUT ROWID;

-- Results per minute of the last day, so that the speed is shown without counting reveals. The
-- slot is the minute of the day, so the table stays small.
CREATE TABLE results_per_minute (
    provider  TEXT   NOT NULL,
    slot      BIGINT NOT NULL,
    minute    BIGINT NOT NULL,                 -- minutes since 1970; distinguishes today's slot from yesterday's
    found     BIGINT NOT NULL,
    not_found BIGINT NOT NULL,
    PRIMARY KEY (provider, slot)
) WITHOUT ROWID;

-- Webhook bodies as received. Stored before they are acknowledged, applied afterwards.
CREATE TABLE webhook_inbox (
    id          INTEGER PRIMARY KEY AUTOINCREMENT,
    received_at BIGINT NOT NULL,
    provider    TEXT   NOT NULL,
    call_id     TEXT   NOT NULL,
    bytes       BIGINT NOT NULL,
    outcome     TEXT,
    applied_at  BIGINT,
    failures    BIGINT NOT NULL DEFAULT 0,     -- how often applying it failed
    retry_at    BIGINT,                        -- when the next attempt is due; NULL: at once
    body        BLOB                           -- the last column: later columns would be read through it
);
CREATE INDEX webhook_inbox_pending ON webhook_inbox (id) WHERE outcome IS NULL AND retry_at IS NULL;
CREATE INDEX webhook_inbox_put_off ON webhook_inbox (retry_at) WHERE outcome IS NULL AND retry_at IS NOT NULL;
CREATE INDEX webhook_inbox_call ON webhook_inbox (call_id);

-- Each provider's circuit breaker, rate limit and balance: one row per provider, shared
-- by all workers.
CREATE TABLE provider_gates (
    provider          TEXT PRIMARY KEY,
    off_reason        TEXT,                    -- no_key, no_webhook_url: no worker can use the provider
    paused            BIGINT NOT NULL DEFAULT 0,
    state             TEXT   NOT NULL DEFAULT 'open',
    reason            TEXT,
    message           TEXT,
    blocks_all        BIGINT NOT NULL DEFAULT 0, -- 1: polls and balance requests wait, too
    closed_at         BIGINT,
    closed_until      BIGINT,                  -- NULL while closed: no time set, an event opens it
    closed_step       BIGINT NOT NULL DEFAULT 0,
    outage_reason     TEXT,                    -- the outage before it closed for another reason, until an order is accepted
    outage_step       BIGINT NOT NULL DEFAULT 0,
    probe_call        BIGINT,                  -- the half-open gate's probe: its acceptance or result opens the gate
    key_fingerprint   TEXT,
    broken_streak     BIGINT NOT NULL DEFAULT 0, -- broken answers to orders since the last good one
    broken_free_requests BIGINT NOT NULL DEFAULT 0, -- the same for polls and balances
    accepted_at       BIGINT,                  -- when it last accepted an order
    refused_singles   BIGINT NOT NULL DEFAULT 0, -- people refused on their own since it last accepted an order
    orders_taken      BIGINT NOT NULL DEFAULT 0,
    not_found_known   BIGINT NOT NULL DEFAULT 0, -- 404s that count: an order was accepted later, or the user confirmed them
    not_found_run     BIGINT NOT NULL DEFAULT 0, -- later 404s, not confirmed yet
    not_found_first   BIGINT,                  -- the lowest id of the calls in not_found_run
    doubted_to        BIGINT,                  -- the last call when 404s were last doubted; calls up to it may get 404, too
    tat_us            BIGINT NOT NULL DEFAULT 0, -- GCRA: theoretical arrival time, microseconds
    poll_tat_us       BIGINT NOT NULL DEFAULT 0,
    rate_limit        DOUBLE PRECISION,        -- the workers' configured rate, requests a second
    found_rate        DOUBLE PRECISION,        -- the rate learnt from a 429, requests a second; it grows again
    found_rate_at     BIGINT,
    rate_searching    BIGINT NOT NULL DEFAULT 0, -- 1: still far below the limit; grows fast until the next 429
    limited_at        BIGINT,                  -- time of the last 429
    limited_for       BIGINT NOT NULL DEFAULT 0, -- how long that 429 closed the gate, milliseconds
    passed_since_limit BIGINT NOT NULL DEFAULT 0, -- requests that passed since that 429
    requests_day      BIGINT NOT NULL DEFAULT 0, -- days since 1970
    requests_today    BIGINT NOT NULL DEFAULT 0,
    isolation_today   BIGINT NOT NULL DEFAULT 0, -- of requests_today, those that searched for a bad id
    daily_left        BIGINT,
    daily_resets_at   BIGINT,
    balance_credits   BIGINT,
    tariff            TEXT,                    -- legacy, unified, direct_dials, credits; NULL: not known yet
    most_phones       BIGINT NOT NULL DEFAULT 0, -- the most numbers of one person so far
    purged_spent      BIGINT NOT NULL DEFAULT 0, -- what purged batches had spent
    balance_spent     BIGINT NOT NULL DEFAULT 0, -- what the ledger had spent when the balance was requested
    balance_at        BIGINT,
    balance_due_at    BIGINT,
    balance_step      BIGINT NOT NULL DEFAULT 0,
    canary_url        TEXT,                    -- hash of the webhook URL that the canary proves
    canary_proved_at  BIGINT,
    canary_since      BIGINT NOT NULL DEFAULT 0, -- only a request sent since then can prove the URL
    webhook_at        BIGINT,                  -- about when its last webhook was applied
    unread_since      BIGINT,                  -- since when the provider's webhooks can't be read
    unread_numbers    BIGINT NOT NULL DEFAULT 0, -- 1: bodies can be read, but the numbers of found people can't
    updates           BIGINT NOT NULL DEFAULT 0, -- of the columns that most transactions change
    epoch             BIGINT NOT NULL GENERATED ALWAYS AS (updates / 64) STORED -- looks begin at the highest one
);
CREATE UNIQUE INDEX provider_gates_epoch ON provider_gates (provider, epoch);
INSERT INTO provider_gates (provider) VALUES ('ocean'), ('clodura');

-- Balances as the accounts reported them, and what the ledger believes was spent.
CREATE TABLE balance_readings (
    id            INTEGER PRIMARY KEY AUTOINCREMENT,
    provider      TEXT   NOT NULL,
    read_at       BIGINT NOT NULL,
    credits       BIGINT NOT NULL,
    ledger_spent  BIGINT NOT NULL,
    reserved      BIGINT NOT NULL
);

CREATE TABLE workers (
    worker_id    TEXT PRIMARY KEY,
    host         TEXT   NOT NULL,
    pid          BIGINT NOT NULL,
    role         TEXT   NOT NULL,
    version      TEXT   NOT NULL,
    lacks        TEXT   NOT NULL,              -- JSON object: by provider, what the worker lacks to use it, or null
    started_at   BIGINT NOT NULL,
    heartbeat_at BIGINT NOT NULL,
    stopped_at   BIGINT
);

-- Keyed hashes of the identifiers of erased people, so that they are not bought again.
CREATE TABLE erasures (
    hash      INTEGER PRIMARY KEY,
    erased_at BIGINT NOT NULL
);

-- Keyed hashes of people and numbers that must never be asked for or exported. Where origin is another entry's hash, the
-- row is a further identifier of that entry's person.
CREATE TABLE suppressions (
    hash     BIGINT NOT NULL,
    origin   BIGINT NOT NULL,
    kind     TEXT   NOT NULL,
    added_at BIGINT NOT NULL,
    PRIMARY KEY (hash, origin)
) WITHOUT ROWID;
CREATE INDEX suppressions_origin ON suppressions (origin) WHERE origin <> hash;

-- A Bloom filter of the hashes in suppressions, in segments. A hash that it doesn't hold is not on the list.
CREATE TABLE suppression_filter (
    segment INTEGER PRIMARY KEY,
    bits    BLOB NOT NULL
);

-- Changes and exports made by hand, and the user who made each. An entry is written in the transaction of its change
-- and names no person who is asked for. batch_id has no foreign key, because an entry outlives its batch.
CREATE TABLE audit_entries (
    id       INTEGER PRIMARY KEY AUTOINCREMENT,
    at       BIGINT NOT NULL,
    origin   TEXT   NOT NULL,                  -- dashboard or enqueue
    actor    TEXT   NOT NULL,                  -- the token's name, or the user of the operating system
    role     TEXT,                             -- of the token
    action   TEXT   NOT NULL,
    batch_id TEXT,
    provider TEXT,
    details  TEXT
);
CREATE TRIGGER audit_entries_no_update BEFORE UPDATE ON audit_entries
BEGIN
    SELECT RAISE(ABORT, 'the audit log is append-only');
END;
CREATE TRIGGER audit_entries_no_delete BEFORE DELETE ON audit_entries
BEGIN
    SELECT RAISE(ABORT, 'the audit log is append-only');
END;
