DROP TABLE approach;
DROP TABLE contact;
ALTER TABLE session DROP COLUMN paired_at;
