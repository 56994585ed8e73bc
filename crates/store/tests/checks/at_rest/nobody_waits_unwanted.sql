-- Every waiting reveal is shown by a row. (Rows of a submit that died count until they are swept.)
SELECT 'reveal ' || r.id || ' (' || r.provider || ') is ' || r.state || ', and no row shows it'
FROM reveals r
WHERE r.state IN ('queued', 'retrying')
  AND NOT EXISTS (SELECT 1 FROM batch_rows w WHERE w.reveal_id = r.id AND w.ended IS NULL)
