-- Which rows are stuck, and why? Rows that are held from outside, will be tried again, have waited more than an hour
-- for a result, or ended without one (`enqueue retry` asks again); with the gate of their provider.
SELECT s.batch_id,
       s.provider,
       s.state,
       s.reason,
       s.row_count,
       s.first_row,
       s.next_attempt_at,
       s.longest_wait_seconds,
       p.gate,
       p.gate_reason,
       p.gate_until
FROM stuck_rows s
LEFT JOIN provider_status p ON p.provider = s.provider
ORDER BY s.batch_id DESC, s.row_count DESC, s.provider, s.state, s.reason;
