-- A row that hasn't ended shows a reveal, and the reveal isn't idle.
SELECT 'row ' || w.row_number || ' of batch ' || w.batch_id || ' shows '
    || COALESCE('reveal ' || r.id || ', which is ' || r.state, 'no reveal')
FROM batch_rows w
JOIN batches b ON b.id = w.batch_id AND b.published_at IS NOT NULL
LEFT JOIN reveals r ON r.id = w.reveal_id
WHERE w.ended IS NULL AND (r.id IS NULL OR r.state = 'idle')
