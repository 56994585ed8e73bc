-- What did each batch cost, at which provider? Credits of different providers are different currencies, so they have no sum.
SELECT s.batch_id,
       b.name,
       s.provider,
       s.people_asked,
       s.found,
       s.credits_reserved,
       s.credits_spent,
       s.max_credits,
       ROUND(CAST(1.0 * s.credits_spent / NULLIF(s.found, 0) AS numeric), 2) AS credits_per_found
FROM batch_spend s
JOIN batch_status b ON b.batch_id = s.batch_id
ORDER BY b.created_at DESC, s.batch_id DESC, s.provider;
