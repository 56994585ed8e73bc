-- Which requests went to the providers last, and what came of them? The newest fifty first; `repeat_of` names the
-- call whose unknown outcome was waited for in vain.
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
