-- For how many of the people it was asked for does each provider have a number? Each person counts once, for the batch
-- that paid, however many rows share the answer. People without an answer don't count towards the rate.
SELECT provider,
       found,
       not_found,
       ROUND(CAST(100.0 * found / NULLIF(found + not_found, 0) AS numeric), 1) AS hit_rate_percent,
       without_answer
FROM provider_results
ORDER BY provider;
