-- The address of its proxy, sealed under the tenant's key; none: it connects directly.
ALTER TABLE session ADD COLUMN proxy bytea;
