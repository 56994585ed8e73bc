-- The counts of batch_status equal the counts of rows in row_status.
SELECT 'batch ' || s.batch_id || ' ' || COALESCE(s.name, '') || ' says ' || s.queued || ' queued, ' || s.sending
    || ' sending, ' || s.awaiting || ' awaiting, ' || s.retrying || ' retrying, ' || s.held || ' held, ' || s.found
    || ' found, ' || s.not_found || ' not found, ' || s.failed || ' failed, ' || s.expired || ' expired, '
    || s.cancelled || ' cancelled; its rows say ' || c.queued || ', ' || c.sending || ', ' || c.awaiting || ', '
    || c.retrying || ', ' || c.held || ', ' || c.found || ', ' || c.not_found || ', ' || c.failed || ', '
    || c.expired || ', ' || c.cancelled
FROM batch_status s
JOIN (SELECT batch_id,
             COUNT(CASE WHEN state = 'queued' THEN 1 END) AS queued,
             COUNT(CASE WHEN state = 'sending' THEN 1 END) AS sending,
             COUNT(CASE WHEN state = 'awaiting' THEN 1 END) AS awaiting,
             COUNT(CASE WHEN state = 'retrying' THEN 1 END) AS retrying,
             COUNT(CASE WHEN state = 'held' THEN 1 END) AS held,
             COUNT(CASE WHEN state = 'found' THEN 1 END) AS found,
             COUNT(CASE WHEN state = 'not_found' THEN 1 END) AS not_found,
             COUNT(CASE WHEN state = 'failed' THEN 1 END) AS failed,
             COUNT(CASE WHEN state = 'expired' THEN 1 END) AS expired,
             COUNT(CASE WHEN state = 'cancelled' THEN 1 END) AS cancelled
      FROM row_status GROUP BY batch_id) c ON c.batch_id = s.batch_id
WHERE s.queued <> c.queued OR s.sending <> c.sending OR s.awaiting <> c.awaiting OR s.retrying <> c.retrying
   OR s.held <> c.held OR s.found <> c.found OR s.not_found <> c.not_found OR s.failed <> c.failed
   OR s.expired <> c.expired OR s.cancelled <> c.cancelled
