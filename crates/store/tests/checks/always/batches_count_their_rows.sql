-- A batch's total and its end agree with its rows.
SELECT 'batch ' || b.id || ': total ' || b.total || ', rows ' || COUNT(w.row_number)
    || '; open rows ' || COUNT(CASE WHEN w.ended IS NULL
           AND r.state NOT IN ('found', 'not_found', 'failed', 'expired', 'cancelled') THEN 1 END)
    || CASE WHEN b.finished_at IS NULL THEN '; not finished' ELSE '; finished' END
FROM batches b
LEFT JOIN batch_rows w ON w.batch_id = b.id
LEFT JOIN reveals r ON r.id = w.reveal_id
WHERE b.published_at IS NOT NULL
GROUP BY b.id, b.total, b.finished_at
HAVING b.total <> COUNT(w.row_number)
    OR (b.finished_at IS NULL) = (COUNT(CASE WHEN w.ended IS NULL
           AND r.state NOT IN ('found', 'not_found', 'failed', 'expired', 'cancelled') THEN 1 END) = 0)
