-- For how many of the people it was asked for does each provider have a number? Each person counts once, however
-- many rows share the answer; who has no answer yet doesn't count towards the rate.
SELECT provider,
       COUNT(CASE WHEN state = 'found' THEN 1 END) AS found,
       COUNT(CASE WHEN state = 'not_found' THEN 1 END) AS not_found,
       ROUND(CAST(100.0 * COUNT(CASE WHEN state = 'found' THEN 1 END)
           / NULLIF(COUNT(CASE WHEN state IN ('found', 'not_found') THEN 1 END), 0) AS numeric), 1) AS hit_rate_percent,
       COUNT(CASE WHEN state NOT IN ('found', 'not_found') THEN 1 END) AS without_answer
FROM reveal_status
GROUP BY provider
ORDER BY provider;
