-- A batch's credits stay within its ceiling. (Credits beyond the reservation are allowed:
-- a person may have more numbers than any person before.)
SELECT 'batch ' || t.batch_id || ' at ' || t.provider || ' has spent ' || t.credits_spent || ' and written off '
    || t.written_off || ' of ' || t.max_credits || '; beyond what was reserved: ' || COALESCE(m.beyond, 0)
FROM batch_totals t
LEFT JOIN (SELECT m.payer, c.provider,
                  SUM(CASE WHEN m.credits > m.reserved THEN m.credits - m.reserved ELSE 0 END) AS beyond
           FROM call_reveals m JOIN calls c ON c.id = m.call_id
           GROUP BY m.payer, c.provider) m ON m.payer = t.batch_id AND m.provider = t.provider
WHERE t.max_credits IS NOT NULL
  AND t.credits_spent + t.credits_reserved + t.written_off > t.max_credits + COALESCE(m.beyond, 0)
