DELETE FROM store_meta WHERE name = 'audit_head';
DROP TABLE audit;
DROP TABLE operator;
ALTER TABLE api_key DROP COLUMN last_used_at;
ALTER TABLE api_key DROP COLUMN replaced_by;
ALTER TABLE api_key DROP COLUMN allowed_addresses;
DROP FUNCTION audit_is_append_only;
