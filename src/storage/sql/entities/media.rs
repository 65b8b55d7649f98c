//! Records of files.

use sea_orm::ActiveValue::Set;
use sea_orm::entity::prelude::*;

use super::{count, word};
use crate::domain::media::{Handle, MediaFile};
use crate::domain::time::WallTime;
use crate::storage::sql::dialect::Fault;

#[derive(Clone, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "media")]
pub struct Model {
    #[sea_orm(primary_key, auto_increment = false)]
    pub id: Uuid,
    pub tenant_id: Uuid,
    pub session_id: Option<Uuid>,
    pub direction: String,
    pub mime: String,
    pub size: i64,
    pub sha256: Option<Vec<u8>>,
    pub file_name: Option<String>,
    pub state: String,
    pub handle: Option<Vec<u8>>,
    pub created_at: i64,
    pub kept_from: i64,
    pub deleted_at: Option<i64>,
}

/// Without name and handle.
impl std::fmt::Debug for Model {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("media").field("id", &self.id).field("state", &self.state).finish_non_exhaustive()
    }
}

#[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}

impl Model {
    pub fn into_domain(self) -> Result<MediaFile, Fault> {
        let digest = |bytes: Vec<u8>| bytes.try_into().map_err(|_| Fault::unreadable("digest"));
        Ok(MediaFile {
            id: self.id.into(),
            tenant: self.tenant_id.into(),
            session: self.session_id.map(Into::into),
            direction: word(&self.direction, "direction")?,
            mime: self.mime,
            size: count(self.size),
            sha256: self.sha256.map(digest).transpose()?,
            file_name: self.file_name,
            state: word(&self.state, "state of a file")?,
            handle: self.handle.map(Handle),
            created_at: WallTime(self.created_at),
            kept_from: WallTime(self.kept_from),
        })
    }
}

/// The row of a file.
pub fn row(file: &MediaFile) -> ActiveModel {
    ActiveModel {
        id: Set(file.id.uuid()),
        tenant_id: Set(file.tenant.uuid()),
        session_id: Set(file.session.map(|id| id.uuid())),
        direction: Set(file.direction.to_string()),
        mime: Set(file.mime.clone()),
        size: Set(size(file.size)),
        sha256: Set(file.sha256.map(Vec::from)),
        file_name: Set(file.file_name.clone()),
        state: Set(file.state.to_string()),
        handle: Set(file.handle.clone().map(|handle| handle.0)),
        created_at: Set(file.created_at.0),
        kept_from: Set(file.kept_from.0),
        deleted_at: Set(None),
    }
}

/// As it is stored.
pub fn size(bytes: u64) -> i64 {
    i64::try_from(bytes).unwrap_or(i64::MAX)
}
