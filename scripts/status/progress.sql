-- How far is each batch? The newest first; `pending` rows wait to be asked, for an answer or for a fix (stuck.sql says which).
SELECT batch_id,
       name,
       total,
       total - found - not_found - failed - expired - cancelled AS pending,
       found,
       not_found,
       failed,
       expired,
       cancelled,
       ROUND(CAST(100.0 * (found + not_found + failed + expired + cancelled) / NULLIF(total, 0) AS numeric), 1)
           AS percent_done,
       credits_spent,
       created_at,
       finished_at
FROM batch_status
ORDER BY created_at DESC, batch_id DESC;
