-- What is stuck, and why? Rows that wait for something outside, will be tried again, have waited more than an hour
-- for a result, or ended without one (`enqueue retry` asks again); with the gate of their provider.
SELECT r.batch_id,
       r.provider,
       r.state,
       COALESCE(r.reason, CASE WHEN r.state = 'awaiting' THEN 'no result for more than an hour' END) AS reason,
       COUNT(*) AS row_count,
       MIN(r.row_number) AS first_row,
       MIN(r.next_attempt_at) AS next_attempt_at,
       MAX(r.waiting_seconds) AS longest_wait_seconds,
       p.gate,
       p.gate_reason,
       p.gate_until
FROM row_status r
LEFT JOIN provider_status p ON p.provider = r.provider
WHERE r.state IN ('held', 'retrying', 'failed', 'expired')
   OR (r.state = 'awaiting' AND r.waiting_seconds > 3600)
GROUP BY r.batch_id, r.provider, r.state, r.reason, p.gate, p.gate_reason, p.gate_until
ORDER BY r.batch_id DESC, COUNT(*) DESC, r.provider, r.state, r.reason;
