-- Every row is finished, except rows that only their batch's ceiling holds.
SELECT 'row ' || row_number || ' of batch ' || batch_id || ' is ' || state || COALESCE(' (' || reason || ')', '')
FROM row_status
WHERE state NOT IN ('found', 'not_found', 'failed', 'expired', 'cancelled')
  AND NOT (state = 'held' AND reason = 'batch_ceiling')
