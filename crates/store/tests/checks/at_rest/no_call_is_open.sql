-- Every request is answered or abandoned, and no call waits for a result.
SELECT 'call ' || c.id || ' to ' || c.provider || ' is ' || c.state || ', ' || c.open_people || ' of ' || c.people
    || ' people open'
FROM calls c
WHERE c.finished_at IS NULL OR c.state IN ('sending', 'accepted', 'unknown')
