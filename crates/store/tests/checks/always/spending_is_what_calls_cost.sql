-- batch_spend is the sum over the calls that the batch paid for.
SELECT 'batch ' || b.id || ' at ' || t.provider || ' says ' || t.credits_spent || ' spent, ' || t.credits_reserved
    || ' reserved, ' || t.written_off || ' written off; its calls say ' || COALESCE(m.spent, 0) || ', '
    || COALESCE(m.reserved, 0) || ', ' || COALESCE(m.written_off, 0)
FROM batch_totals t
JOIN batches b ON b.id = t.batch_id AND b.published_at IS NOT NULL
LEFT JOIN (SELECT m.payer, c.provider, SUM(COALESCE(m.credits, 0)) AS spent,
                  SUM(CASE WHEN m.credits IS NULL AND c.state IN ('sending', 'accepted', 'unknown')
                           THEN m.reserved ELSE 0 END) AS reserved,
                  SUM(CASE WHEN m.credits IS NULL AND c.state = 'expired' THEN m.reserved ELSE 0 END) AS written_off
           FROM call_reveals m JOIN calls c ON c.id = m.call_id
           GROUP BY m.payer, c.provider) m ON m.payer = t.batch_id AND m.provider = t.provider
WHERE t.credits_spent <> COALESCE(m.spent, 0) OR t.credits_reserved <> COALESCE(m.reserved, 0)
   OR t.written_off <> COALESCE(m.written_off, 0)
