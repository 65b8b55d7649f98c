//! Records of files that messages carry. Their bytes lie beside the store.

use sea_orm_migration::prelude::{DbErr, DeriveMigrationName, MigrationTrait, SchemaManager, async_trait};

use crate::fence::{Fence, fenced};
use crate::run;

/// Records of files.
#[derive(DeriveMigrationName)]
pub struct Media;

#[async_trait::async_trait]
impl MigrationTrait for Media {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        let fence = fenced(&[Fence::by("media", "tenant_id", "SELECT, INSERT, UPDATE, DELETE")]);
        run(manager, SQLITE_UP, &(include_str!("postgres/media.sql").to_owned() + &fence)).await
    }

    async fn down(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        run(manager, SQLITE_DOWN, include_str!("postgres/media.down.sql")).await
    }

    fn use_transaction(&self) -> Option<bool> {
        Some(true)
    }
}

const SQLITE_UP: &str = "
CREATE TABLE media (
    id         BLOB NOT NULL PRIMARY KEY,
    tenant_id  BLOB NOT NULL,
    -- The session it came in on; none for what was uploaded.
    session_id BLOB,
    direction  TEXT NOT NULL,
    mime       TEXT NOT NULL,
    size       INTEGER NOT NULL,
    -- None before the bytes are here.
    sha256     BLOB,
    file_name  TEXT,
    state      TEXT NOT NULL,
    -- What brings it here; holds the file's key.
    handle     BLOB,
    created_at INTEGER NOT NULL,
    -- From when the plan's retention counts.
    kept_from  INTEGER NOT NULL,
    -- Taken away: the bytes are to be removed, then the row.
    deleted_at INTEGER
) STRICT;
CREATE INDEX media_kept ON media (tenant_id, kept_from);
CREATE INDEX media_size ON media (tenant_id, size) WHERE state = 'stored';
CREATE INDEX media_session ON media (session_id) WHERE session_id IS NOT NULL;
CREATE INDEX media_gone ON media (deleted_at) WHERE deleted_at IS NOT NULL;
";

const SQLITE_DOWN: &str = "
DROP TABLE media;
";
