-- May requests be sent to each provider just now? If not: why, and until when. What the day and the account have seen.
SELECT provider,
       gate,
       gate_reason,
       gate_until,
       in_flight,
       requests_today,
       rate,
       credits_left,
       credits_checked_at
FROM provider_status
ORDER BY provider;
