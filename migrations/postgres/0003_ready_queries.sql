-- The views that scripts/status reads in addition to those of 0002. They answer as fast with a million rows as with
-- ten, because they never scan rows: they start from kept counts, from the ends of indexes, and
-- from partial indexes that hold few people. They are no promise: they change with the queries.

-- For how many of the people that batches paid to ask for does a provider have a number?
CREATE VIEW provider_results AS
SELECT provider,
       CAST(SUM(people_found) AS BIGINT) AS found,
       CAST(SUM(people_not_found) AS BIGINT) AS not_found,
       CAST(SUM(people_asked - people_found - people_not_found) AS BIGINT) AS without_answer
FROM batch_totals
GROUP BY provider
HAVING SUM(people_asked) > 0;

-- The twenty rows that have waited longest, as row_status shows them. The candidates are the heads of
-- the lines: the first people of the twenty oldest requests that are sent or being sent, the
-- people whose retry is due next, and the first of each queue. COALESCE(credits, -1) < 0 means credits IS NULL.
-- For IS NULL the planner expects one row in two hundred while it has no statistics. Then reading twenty of them
-- seems so expensive that it compiles the query first (JIT).
CREATE VIEW longest_waiting AS
WITH candidates AS (
    SELECT m.reveal_id
    FROM provider_gates g
    CROSS JOIN LATERAL (
        SELECT o.id FROM calls o
        WHERE o.provider = g.provider AND o.deadline_at IS NOT NULL AND o.open_people > 0
        ORDER BY o.deadline_at LIMIT 20) c
    CROSS JOIN LATERAL (
        SELECT p.reveal_id FROM call_reveals p
        WHERE p.call_id = c.id AND COALESCE(p.credits, -1) < 0 ORDER BY p.position LIMIT 20) m
    UNION
    SELECT m.reveal_id
    FROM (SELECT id FROM calls WHERE state = 'sending' ORDER BY sent_at LIMIT 20) c
    CROSS JOIN LATERAL (
        SELECT p.reveal_id FROM call_reveals p
        WHERE p.call_id = c.id AND COALESCE(p.credits, -1) < 0 ORDER BY p.position LIMIT 20) m
    UNION
    SELECT r.id
    FROM provider_gates g
    CROSS JOIN LATERAL (
        SELECT q.id FROM reveals q WHERE q.provider = g.provider AND q.retry_at IS NOT NULL
        ORDER BY q.retry_at LIMIT 500) r
    UNION
    SELECT r.id
    FROM provider_gates g
    CROSS JOIN LATERAL (
        SELECT q.id FROM reveals q
        WHERE q.provider = g.provider AND q.queue_group IS NOT NULL
        ORDER BY q.queue_group LIMIT 500) r
    UNION
    SELECT r.id
    FROM batch_totals t
    CROSS JOIN LATERAL (
        SELECT q.id FROM reveals q
        WHERE q.queue_owner = t.batch_id AND q.provider = t.provider
        ORDER BY q.id LIMIT 20) r
    WHERE t.queued > 0
    UNION
    SELECT r.id
    FROM batch_totals t
    CROSS JOIN LATERAL (
        SELECT q.id FROM reveals q WHERE q.lookup_owner = t.batch_id ORDER BY q.id LIMIT 20) r
    WHERE t.queued > 0 AND t.provider = 'ocean'
    UNION
    SELECT r.id
    FROM unclaimed_ranges n
    JOIN batch_totals t ON t.batch_id = n.batch_id AND t.provider = n.provider
    CROSS JOIN LATERAL (
        SELECT q.id FROM reveals q
        WHERE q.id >= n.next AND q.id <= n.last AND q.owner = n.batch_id AND q.provider = n.provider
          AND q.state = 'queued' AND q.unclaimed = 1
        ORDER BY q.id LIMIT 20) r
    WHERE t.queued > 0
),
oldest AS (
    SELECT b.batch_id, w.row_number
    FROM candidates k
    JOIN reveals r ON r.id = k.reveal_id AND r.state IN ('queued', 'asked', 'retrying')
    JOIN batch_rows w ON w.reveal_id = r.id AND w.ended IS NULL
    JOIN batches b ON b.id = w.batch_id AND b.published_at IS NOT NULL
    ORDER BY COALESCE(r.asked_at, b.created_at), b.batch_id, w.row_number LIMIT 20
)
SELECT s.*
FROM oldest o
JOIN row_status s ON s.batch_id = o.batch_id AND s.row_number = o.row_number;

-- Rows that don't move by themselves, counted by batch, provider, state and reason. Queued rows
-- behind a closed gate or at a ceiling are counted already, and their first_row is the first of the hundred
-- next in line. All other rows are read one by one; they are few unless much is wrong.
CREATE VIEW stuck_rows AS
WITH people AS (
    SELECT id, provider, state, reason, asked_at, CAST(NULL AS BIGINT) AS next_at
    FROM reveals WHERE ended_badly IS NOT NULL
    UNION ALL
    SELECT id, provider, state, reason, asked_at, due_at
    FROM reveals WHERE retry_at IS NOT NULL
    UNION ALL
    SELECT r.id, r.provider, c.shown_as, COALESCE(c.reason, 'no result for more than an hour'), r.asked_at, c.poll_at
    FROM provider_gates g
    JOIN shown_calls c ON c.provider = g.provider AND c.deadline_at IS NOT NULL
    JOIN call_reveals m ON m.call_id = c.id AND m.credits IS NULL
    JOIN reveals r ON r.id = m.reveal_id AND r.call_id = c.id AND r.state = 'asked'
    WHERE c.sent_at < CAST(EXTRACT(EPOCH FROM statement_timestamp()) * 1000 AS BIGINT) - 3600000
),
held AS (
    SELECT b.batch_id, b.id, b.created_at, t.provider, t.queued, t.at_ceiling, h.shown_as, h.reason, h.until,
           (SELECT MIN(w.row_number)
            FROM (SELECT l.id FROM (
                      SELECT r.id FROM reveals r
                      WHERE r.queue_owner = t.batch_id AND r.provider = t.provider
                      ORDER BY r.id LIMIT 100) l
                  UNION ALL
                  SELECT l.id FROM (
                      SELECT r.id FROM reveals r
                      WHERE r.lookup_owner = t.batch_id AND r.provider = t.provider
                      ORDER BY r.id LIMIT 100) l
                  UNION ALL
                  SELECT l.id FROM unclaimed_ranges n CROSS JOIN LATERAL (
                      SELECT r.id FROM reveals r
                      WHERE r.id >= n.next AND r.id <= n.last AND r.owner = n.batch_id AND r.provider = n.provider
                        AND r.state = 'queued' AND r.unclaimed = 1
                      ORDER BY r.id LIMIT 100) l
                  WHERE n.batch_id = t.batch_id AND n.provider = t.provider) q
            -- The plus keeps the planner from reading the whole batch as well; the index of its people is enough.
            JOIN batch_rows w ON w.reveal_id = q.id AND w.batch_id + 0 = t.batch_id AND w.ended IS NULL) AS first_in_line
    FROM batch_totals t
    JOIN batches b ON b.id = t.batch_id AND b.published_at IS NOT NULL
    JOIN provider_holds h ON h.provider = t.provider
    WHERE t.queued > 0 AND (t.at_ceiling = 1 OR h.shown_as IS NOT NULL)
)
SELECT b.batch_id,
       p.provider,
       p.state,
       p.reason,
       COUNT(*) AS row_count,
       MIN(w.row_number) AS first_row,
       to_char(to_timestamp(MIN(p.next_at) / 1000.0) AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.MS"Z"') AS next_attempt_at,
       CASE WHEN p.state IN ('awaiting', 'retrying')
            THEN (CAST(EXTRACT(EPOCH FROM statement_timestamp()) * 1000 AS BIGINT) - MIN(COALESCE(p.asked_at, b.created_at))) / 1000 END AS longest_wait_seconds
FROM people p
JOIN batch_rows w ON w.reveal_id = p.id AND w.ended IS NULL
JOIN batches b ON b.id = w.batch_id AND b.published_at IS NOT NULL
GROUP BY b.batch_id, p.provider, p.state, p.reason
UNION ALL
SELECT d.batch_id,
       d.provider,
       CASE WHEN d.at_ceiling = 1 THEN 'held' ELSE d.shown_as END,
       CASE WHEN d.at_ceiling = 1 THEN 'batch_ceiling' ELSE d.reason END,
       d.queued,
       -- The batch owns no queued person: its people wait in the queues of other batches.
       COALESCE(d.first_in_line,
                (SELECT w.row_number
                 FROM batch_rows w JOIN reveals r ON r.id = w.reveal_id AND r.provider = d.provider AND r.state = 'queued'
                 WHERE w.batch_id = d.id AND w.ended IS NULL ORDER BY w.row_number LIMIT 1)),
       CASE WHEN d.shown_as IS NOT NULL THEN to_char(to_timestamp(d.until / 1000.0) AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.MS"Z"') END,
       (CAST(EXTRACT(EPOCH FROM statement_timestamp()) * 1000 AS BIGINT) - d.created_at) / 1000
FROM held d;

-- The newest requests of call_log, a hundred of each kind, found by their ids.
CREATE VIEW recent_calls AS
SELECT call_id, attempt, provider, kind, people, sent_at, finished_at, http_status, outcome, tracking_id, repeat_of
FROM (SELECT * FROM reveal_log ORDER BY id DESC LIMIT 100) r
UNION ALL
SELECT call_id, attempt, provider, kind, people, sent_at, finished_at, http_status, outcome, tracking_id, repeat_of
FROM (SELECT * FROM free_request_log ORDER BY id DESC LIMIT 100) l;
