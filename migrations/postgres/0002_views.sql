-- The views that users and their scripts read. Columns and meanings are a promise; the tables behind them are not.
-- Tables hold credits as thousandths; the views show plain numbers: 10, 4368.8.
-- The present is the statement's (statement_timestamp). With a time that moves on during the statement, the planner
-- could not inline a view, and would compute all of its rows and columns even for a few.

-- Why no request can be sent to a provider now; NULL if requests can be sent. Queued rows show the hold in
-- place of their state, so that closing a gate never rewrites a million rows.
CREATE VIEW provider_holds AS
SELECT provider,
       CASE WHEN paused = 1 OR off_reason IS NOT NULL THEN 'held'
            WHEN state = 'open' OR (state = 'closed' AND closed_until <= CAST(EXTRACT(EPOCH FROM statement_timestamp()) * 1000 AS BIGINT)) THEN NULL
            WHEN reason IN ('credits_pending', 'credits_insufficient', 'misconfigured') THEN 'held'
            ELSE 'retrying' END AS shown_as,
       CASE WHEN off_reason IS NOT NULL THEN off_reason
            WHEN paused = 1 THEN 'paused'
            ELSE reason END AS reason,
       CASE WHEN paused = 1 OR off_reason IS NOT NULL THEN NULL ELSE closed_until END AS until
FROM provider_gates;

-- Calls, with the state and reason that their people show. So an answer to a request for 500 people updates the call
-- and none of its reveals.
CREATE VIEW shown_calls AS
SELECT id, call_id, provider, tracking_id, sent_at, finished_at, poll_at, deadline_at,
       CASE state WHEN 'sending' THEN 'sending' ELSE 'awaiting' END AS shown_as,
       CASE state WHEN 'unknown' THEN 'outcome ' || outcome END AS reason
FROM calls;

-- Counts the rows whose request is being sent. They are few among all asked rows, so the view looks up each one.
-- LIMIT and OFFSET 0 keep the planner from reading whole tables instead, however many rows it expects. No request
-- is for more than 500 people.
CREATE VIEW rows_sending AS
SELECT w.batch_id, c.provider, COUNT(*) AS row_count
FROM calls c
CROSS JOIN LATERAL (
    SELECT p.reveal_id FROM call_reveals p WHERE p.call_id = c.id ORDER BY p.position LIMIT 500) m
CROSS JOIN LATERAL (
    SELECT q.id FROM reveals q
    WHERE q.id = m.reveal_id AND q.call_id = c.id AND q.state = 'asked' LIMIT 1) r
CROSS JOIN LATERAL (
    SELECT o.batch_id FROM batch_rows o WHERE o.reveal_id = r.id AND o.ended IS NULL OFFSET 0) w
WHERE c.state = 'sending'
GROUP BY w.batch_id, c.provider;

CREATE VIEW batch_status AS
SELECT b.batch_id,
       b.name,
       to_char(to_timestamp(b.created_at / 1000.0) AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.MS"Z"') AS created_at,
       to_char(to_timestamp(b.finished_at / 1000.0) AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.MS"Z"') AS finished_at,
       b.total,
       CAST(COALESCE(SUM(CASE WHEN t.at_ceiling = 0 AND h.shown_as IS NULL THEN t.queued ELSE 0 END), 0) AS BIGINT) AS queued,
       CAST(COALESCE(SUM(s.row_count), 0) AS BIGINT) AS sending,
       CAST(COALESCE(SUM(t.asked - COALESCE(s.row_count, 0)), 0) AS BIGINT) AS awaiting,
       CAST(COALESCE(SUM(t.retrying + CASE WHEN t.at_ceiling = 0 AND h.shown_as = 'retrying' THEN t.queued ELSE 0 END), 0) AS BIGINT) AS retrying,
       CAST(COALESCE(SUM(CASE WHEN t.at_ceiling = 1 OR h.shown_as = 'held' THEN t.queued ELSE 0 END), 0) AS BIGINT) AS held,
       CAST(COALESCE(SUM(t.found), 0) AS BIGINT) AS found,
       CAST(COALESCE(SUM(t.not_found), 0) AS BIGINT) AS not_found,
       CAST(COALESCE(SUM(t.failed), 0) AS BIGINT) AS failed,
       CAST(COALESCE(SUM(t.expired), 0) AS BIGINT) AS expired,
       CAST(COALESCE(SUM(t.cancelled), 0) AS BIGINT) AS cancelled,
       trim_scale(COALESCE(SUM(t.credits_reserved + t.written_off), 0) / 1000.0) AS credits_reserved,
       trim_scale(COALESCE(SUM(t.credits_spent), 0) / 1000.0) AS credits_spent
FROM batches b
LEFT JOIN batch_totals t ON t.batch_id = b.id
LEFT JOIN rows_sending s ON s.batch_id = t.batch_id AND s.provider = t.provider
LEFT JOIN provider_holds h ON h.provider = t.provider
WHERE b.published_at IS NOT NULL
GROUP BY b.id, b.batch_id, b.name, b.created_at, b.finished_at, b.total;

CREATE VIEW batch_spend AS
SELECT b.batch_id,
       t.provider,
       t.people_asked,
       t.people_found AS found,
       CASE WHEN t.people_asked > 0
            THEN CAST(t.people_found AS DOUBLE PRECISION) / t.people_asked END AS hit_rate,
       trim_scale((t.credits_reserved + t.written_off) / 1000.0) AS credits_reserved,
       trim_scale(t.credits_spent / 1000.0) AS credits_spent,
       trim_scale(t.max_credits / 1000.0) AS max_credits
FROM batch_totals t
JOIN batches b ON b.id = t.batch_id
WHERE b.published_at IS NOT NULL;

-- Encoded identifiers in their usual form: the bare id, or the whole LinkedIn address.
CREATE VIEW reveal_people AS
SELECT id AS reveal_id,
       CASE WHEN subject LIKE 'ocean:%' THEN substr(subject, 7)
            WHEN subject LIKE 'clodura:%' THEN substr(subject, 9)
            WHEN subject LIKE 'linkedin.com/%' THEN 'https://www.' || subject
            ELSE subject END AS person
FROM reveals;

CREATE VIEW row_status AS
SELECT b.batch_id,
       w.row_number,
       CASE WHEN r.subject LIKE 'ocean:%' THEN substr(r.subject, 7)
            WHEN r.subject LIKE 'clodura:%' THEN substr(r.subject, 9)
            WHEN r.subject LIKE 'linkedin.com/%' THEN 'https://www.' || r.subject
            ELSE r.subject END AS person,
       r.provider,
       CASE WHEN w.ended IS NOT NULL THEN 'cancelled'
            WHEN r.state = 'queued' AND t.at_ceiling = 1 THEN 'held'
            WHEN r.state = 'queued' AND h.shown_as IS NOT NULL THEN h.shown_as
            WHEN r.state = 'asked' THEN c.shown_as
            ELSE r.state END AS state,
       CASE WHEN w.ended IS NOT NULL THEN w.ended
            WHEN r.state = 'queued' AND t.at_ceiling = 1 THEN 'batch_ceiling'
            WHEN r.state = 'queued' AND h.shown_as IS NOT NULL THEN h.reason
            WHEN r.state = 'asked' THEN c.reason
            ELSE r.reason END AS reason,
       COALESCE(r.attempts, 0) AS attempts,
       CASE WHEN w.ended IS NOT NULL THEN NULL
            WHEN r.state = 'queued' AND h.shown_as IS NOT NULL THEN to_char(to_timestamp(h.until / 1000.0) AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.MS"Z"')
            WHEN r.state = 'retrying' THEN to_char(to_timestamp(r.due_at / 1000.0) AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.MS"Z"')
            WHEN r.state = 'asked' THEN to_char(to_timestamp(c.poll_at / 1000.0) AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.MS"Z"') END AS next_attempt_at,
       c.tracking_id,
       CASE WHEN w.ended IS NULL AND w.kept_id IS NULL AND r.state = 'found' THEN
            (SELECT string_agg(COALESCE(p.e164 || COALESCE(' ext ' || p.extension, ''), p.raw), ';' ORDER BY p.position)
             FROM phones p WHERE p.reveal_id = r.id)
            WHEN w.ended IS NULL AND w.kept_id IS NOT NULL THEN
            (SELECT string_agg(n.number, ';' ORDER BY n.place)
             FROM (SELECT COALESCE(p.e164 || COALESCE(' ext ' || p.extension, ''), p.raw) AS number,
                          MIN(CASE WHEN p.reveal_id = w.kept_id THEN 1000 ELSE 0 END + p.position) AS place
                   FROM phones p WHERE p.reveal_id IN (w.reveal_id, w.kept_id) GROUP BY 1) n) END AS phones,
       CASE WHEN w.shared = 1 OR w.ended IS NOT NULL OR r.credits IS NULL THEN 0
            ELSE trim_scale(r.credits / 1000.0) END AS credits,
       w.shared,
       CASE WHEN w.ended IS NULL AND r.state IN ('queued', 'asked', 'retrying')
            THEN (CAST(EXTRACT(EPOCH FROM statement_timestamp()) * 1000 AS BIGINT) - COALESCE(r.asked_at, b.created_at)) / 1000 END AS waiting_seconds,
       to_char(to_timestamp(COALESCE(w.ended_at, CASE WHEN r.state = 'asked' THEN c.finished_at END, r.updated_at) / 1000.0) AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.MS"Z"') AS updated_at
FROM batch_rows w
JOIN batches b ON b.id = w.batch_id AND b.published_at IS NOT NULL
LEFT JOIN reveals r ON r.id = w.reveal_id
LEFT JOIN shown_calls c ON c.id = r.call_id
LEFT JOIN batch_totals t ON t.batch_id = w.batch_id AND t.provider = r.provider
LEFT JOIN provider_holds h ON h.provider = r.provider;

-- The numbers of the rows, from 1, as exports show them.
CREATE VIEW row_phones AS
SELECT b.batch_id,
       w.row_number,
       p.position + 1 AS position,
       COALESCE(p.e164 || COALESCE(' ext ' || p.extension, ''), p.raw) AS phone,
       p.type,
       p.country,
       r.provider
FROM batch_rows w
JOIN batches b ON b.id = w.batch_id AND b.published_at IS NOT NULL
JOIN reveals r ON r.id = w.reveal_id AND r.state = 'found'
JOIN phones p ON p.reveal_id = r.id
WHERE w.ended IS NULL
UNION ALL
SELECT b.batch_id,
       w.row_number,
       p.position + 1 + (SELECT COUNT(*) FROM phones d WHERE d.reveal_id = w.reveal_id),
       COALESCE(p.e164 || COALESCE(' ext ' || p.extension, ''), p.raw),
       p.type,
       p.country,
       r.provider
FROM batch_rows w
JOIN batches b ON b.id = w.batch_id AND b.published_at IS NOT NULL
JOIN reveals r ON r.id = w.kept_id AND r.state = 'found'
JOIN phones p ON p.reveal_id = r.id
WHERE w.ended IS NULL
  AND NOT EXISTS (SELECT 1 FROM phones d WHERE d.reveal_id = w.reveal_id
                  AND COALESCE(d.e164 || COALESCE(' ext ' || d.extension, ''), d.raw) = COALESCE(p.e164 || COALESCE(' ext ' || p.extension, ''), p.raw));

CREATE VIEW reveal_status AS
SELECT r.provider,
       CASE WHEN r.subject LIKE 'ocean:%' THEN substr(r.subject, 7)
            WHEN r.subject LIKE 'clodura:%' THEN substr(r.subject, 9)
            WHEN r.subject LIKE 'linkedin.com/%' THEN 'https://www.' || r.subject
            ELSE r.subject END AS person,
       CASE WHEN r.state = 'queued' AND h.shown_as IS NOT NULL THEN h.shown_as
            WHEN r.state = 'asked' THEN c.shown_as
            ELSE r.state END AS state,
       CASE WHEN r.state = 'queued' AND h.shown_as IS NOT NULL THEN h.reason
            WHEN r.state = 'asked' THEN c.reason
            ELSE r.reason END AS reason,
       r.attempts,
       c.call_id,
       c.tracking_id,
       trim_scale(r.credits / 1000.0) AS credits,
       (SELECT COUNT(*) FROM batch_rows w WHERE w.reveal_id = r.id) AS rows,
       to_char(to_timestamp(r.asked_at / 1000.0) AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.MS"Z"') AS asked_at,
       to_char(to_timestamp(r.revealed_at / 1000.0) AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.MS"Z"') AS revealed_at
FROM reveals r
LEFT JOIN shown_calls c ON c.id = r.call_id
LEFT JOIN provider_holds h ON h.provider = r.provider
WHERE r.state <> 'idle';

CREATE VIEW provider_status AS
SELECT g.provider,
       CASE WHEN g.paused = 1 THEN 'paused'
            WHEN g.off_reason IS NOT NULL THEN 'closed'
            ELSE g.state END AS gate,
       COALESCE(g.off_reason,
                CASE WHEN g.paused = 1 THEN 'paused' END,
                CASE WHEN g.message IS NULL THEN g.reason ELSE g.reason || ': ' || g.message END,
                CASE WHEN g.unread_since IS NOT NULL AND g.unread_numbers = 1 THEN 'unreadable_numbers'
                     WHEN g.unread_since IS NOT NULL THEN 'unreadable_webhook' END) AS gate_reason,
       to_char(to_timestamp(g.closed_until / 1000.0) AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.MS"Z"') AS gate_until,
       (SELECT COUNT(*) FROM calls c WHERE c.provider = g.provider AND c.deadline_at IS NOT NULL)
           + (SELECT COUNT(*) FROM calls c WHERE c.provider = g.provider AND c.state = 'sending') AS in_flight,
       CASE WHEN g.requests_day = CAST(EXTRACT(EPOCH FROM statement_timestamp()) * 1000 AS BIGINT) / 86400000 THEN g.requests_today ELSE 0 END AS requests_today,
       COALESCE(g.found_rate, g.rate_limit) AS rate,
       (SELECT trim_scale((g.balance_credits + g.balance_spent - g.purged_spent - COALESCE(SUM(t.credits_spent), 0)) / 1000.0)
        FROM batch_totals t WHERE t.provider = g.provider) AS credits_left,
       to_char(to_timestamp(g.balance_at / 1000.0) AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.MS"Z"') AS credits_checked_at
FROM provider_gates g;

-- The two halves of call_log, with their numbers.
CREATE VIEW reveal_log AS
SELECT c.id, c.call_id, c.attempt, c.provider, c.kind, c.people,
       to_char(to_timestamp(c.sent_at / 1000.0) AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.MS"Z"') AS sent_at,
       to_char(to_timestamp(c.finished_at / 1000.0) AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.MS"Z"') AS finished_at,
       c.http_status, COALESCE(c.outcome, c.state) AS outcome, c.tracking_id, o.call_id AS repeat_of
FROM calls c
LEFT JOIN calls o ON o.id = c.repeat_of;

CREATE VIEW free_request_log AS
SELECT f.id, f.call_id, f.attempt, f.provider, f.kind, CASE WHEN f.kind = 'track' THEN 1 ELSE 0 END AS people,
       to_char(to_timestamp(f.sent_at / 1000.0) AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.MS"Z"') AS sent_at,
       to_char(to_timestamp(f.finished_at / 1000.0) AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.MS"Z"') AS finished_at,
       f.http_status, f.outcome, f.tracking_id, NULL AS repeat_of
FROM free_requests f;

CREATE VIEW call_log AS
SELECT call_id, attempt, provider, kind, people, sent_at, finished_at, http_status, outcome, tracking_id, repeat_of
FROM reveal_log
UNION ALL
SELECT call_id, attempt, provider, kind, people, sent_at, finished_at, http_status, outcome, tracking_id, repeat_of
FROM free_request_log;

CREATE VIEW webhook_log AS
SELECT to_char(to_timestamp(received_at / 1000.0) AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.MS"Z"') AS received_at, provider, call_id, outcome, bytes,
       failures, to_char(to_timestamp(retry_at / 1000.0) AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.MS"Z"') AS retry_at
FROM webhook_inbox;

CREATE VIEW audit_log AS
SELECT id AS entry_id, to_char(to_timestamp(at / 1000.0) AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.MS"Z"') AS at, origin, actor, role, action,
       batch_id, provider, details
FROM audit_entries;

-- The suppression list, counted by kind.
CREATE VIEW suppression_list AS
SELECT kind, COUNT(*) AS entries, to_char(to_timestamp(MAX(added_at) / 1000.0) AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.MS"Z"') AS last_added_at
FROM suppressions
WHERE origin = hash
GROUP BY kind;
