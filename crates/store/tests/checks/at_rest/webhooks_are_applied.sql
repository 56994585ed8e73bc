-- Every stored webhook has an outcome.
SELECT 'webhook ' || id || ' of call ' || call_id || ', tried ' || failures || ' times'
FROM webhook_inbox WHERE outcome IS NULL
