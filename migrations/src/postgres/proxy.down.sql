UPDATE session SET desired = 'stopped', status = 'stopped', reason = NULL, reason_code = NULL
WHERE proxy IS NOT NULL AND desired = 'running';
UPDATE session SET reason = 'transport_lost' WHERE reason = 'proxy_failed';
UPDATE session SET retry_reason = 'transport_lost' WHERE retry_reason = 'proxy_failed';
UPDATE session SET reason = 'pairing_timeout'
WHERE reason IN ('passkey_requested', 'passkey_confirm', 'passkey_failed');
UPDATE webhook_event SET snapshot = replace(replace(replace(replace(snapshot,
    '"proxy_failed"', '"transport_lost"'), '"passkey_requested"', '"pairing_timeout"'),
    '"passkey_confirm"', '"pairing_timeout"'), '"passkey_failed"', '"pairing_timeout"')
WHERE snapshot LIKE '%"proxy_failed"%' OR snapshot LIKE '%"passkey_%';
ALTER TABLE session DROP COLUMN proxy;
