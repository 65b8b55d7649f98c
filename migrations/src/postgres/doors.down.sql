DROP POLICY own ON audit;
DROP POLICY reads ON audit;
DROP POLICY writes ON audit;
ALTER TABLE audit NO FORCE ROW LEVEL SECURITY, DISABLE ROW LEVEL SECURITY;
REVOKE SELECT ON audit FROM columba_tenant;
DROP INDEX audit_tenant;
ALTER TABLE audit DROP COLUMN tenant_id;
DROP TABLE sign_in;
DROP TABLE person;
-- People stay by name, with a token that nobody has.
DROP INDEX operator_email;
ALTER TABLE operator DROP COLUMN email;
UPDATE operator SET hash = sha256(convert_to(gen_random_uuid()::text || gen_random_uuid()::text, 'UTF8')) WHERE hash IS NULL;
UPDATE operator SET role = 'viewer' WHERE role NOT IN ('owner', 'viewer');
ALTER TABLE operator ALTER COLUMN hash SET NOT NULL;
