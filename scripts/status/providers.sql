-- May requests be sent to each provider now? If not: why, and until when? With today's requests and the account's credits.
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
