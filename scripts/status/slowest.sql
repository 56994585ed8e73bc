-- Which rows have waited longest? The twenty with the longest wait, counted from their request or, if none was
-- made yet, from their submission.
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
