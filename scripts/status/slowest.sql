-- Who has waited longest? The twenty rows at the end of the line, since they were asked for or, if nobody was asked
-- yet, since they were enqueued.
SELECT batch_id,
       row_number,
       person,
       provider,
       state,
       reason,
       waiting_seconds,
       attempts,
       next_attempt_at,
       tracking_id
FROM longest_waiting
WHERE waiting_seconds IS NOT NULL
ORDER BY waiting_seconds DESC, batch_id, row_number
LIMIT 20;
