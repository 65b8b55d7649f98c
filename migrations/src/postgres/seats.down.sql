REVOKE DELETE ON plan FROM columba_writer;
UPDATE plan SET body = (body::jsonb - 'webhooks_max' - 'seats_max')::text;
