-- An asked reveal is in a call that may still bring a result. A waiting reveal is in no such call.
SELECT 'reveal ' || r.id || ' (' || r.provider || ') is ' || r.state || '; open calls it is in: '
    || COUNT(c.id)
FROM reveals r
LEFT JOIN call_reveals m ON m.reveal_id = r.id AND m.credits IS NULL
LEFT JOIN calls c ON c.id = m.call_id AND c.state IN ('sending', 'accepted', 'unknown')
WHERE r.state IN ('asked', 'queued', 'retrying', 'idle')
GROUP BY r.id, r.provider, r.state
HAVING (COUNT(c.id) > 0) <> (r.state = 'asked')
