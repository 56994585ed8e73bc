-- A reveal's credits are the sum over its calls.
SELECT 'reveal ' || r.id || ' (' || r.provider || ', ' || r.state || ') has cost ' || r.credits || ', its calls say '
    || COALESCE(m.credits, 0)
FROM reveals r
LEFT JOIN (SELECT reveal_id, SUM(COALESCE(credits, 0)) AS credits FROM call_reveals GROUP BY reveal_id) m
    ON m.reveal_id = r.id
WHERE r.credits <> COALESCE(m.credits, 0)
