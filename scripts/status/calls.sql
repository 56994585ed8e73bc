-- Which requests went to the providers last, and how did they end? The newest fifty first. `repeat_of` names the
-- call of unknown outcome that this call repeats, because no result came.
SELECT sent_at,
       provider,
       kind,
       people,
       http_status,
       outcome,
       attempt,
       call_id,
       tracking_id,
       repeat_of,
       finished_at
FROM recent_calls
WHERE sent_at IS NOT NULL
ORDER BY sent_at DESC, call_id DESC, attempt DESC
LIMIT 50;
