-- People that a published batch waits for are owned by a published batch. So a submit that dies holds up no other batch.
SELECT 'row ' || w.row_number || ' of batch ' || w.batch_id || ' waits in the turn of batch ' || o.id || ', which is loading'
FROM batch_rows w
JOIN batches b ON b.id = w.batch_id AND b.published_at IS NOT NULL AND b.cancelled_at IS NULL
JOIN reveals r ON r.id = w.reveal_id AND r.state IN ('queued', 'retrying')
JOIN batches o ON o.id = r.owner AND o.published_at IS NULL
WHERE w.ended IS NULL
