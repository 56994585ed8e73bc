-- What a batch used stays within its ceiling. (What people cost beyond what was reserved for them,
-- because they have more numbers than anybody before, is not held against it.)
SELECT 'batch ' || t.batch_id || ' at ' || t.provider || ' has spent ' || t.credits_spent || ' and written off '
    || t.written_off || ' of ' || t.max_credits || '; beyond what was reserved: ' || COALESCE(m.beyond, 0)
FROM batch_totals t
LEFT JOIN (SELECT m.payer, c.provider,
                  SUM(CASE WHEN m.credits > m.reserved THEN m.credits - m.reserved ELSE 0 END) AS beyond
           FROM call_reveals m JOIN calls c ON c.id = m.call_id
           GROUP BY m.payer, c.provider) m ON m.payer = t.batch_id AND m.provider = t.provider
WHERE t.max_credits IS NOT NULL
  AND t.credits_spent + t.credits_reserved + t.written_off > t.max_credits + COALESCE(m.beyond, 0)
