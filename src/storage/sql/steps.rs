//! The schema's steps: which a database has taken, and taking the others without serving it.

use migrations::{Migrator, MigratorTrait as _};
use sea_orm::ConnectionTrait as _;
use serde::Serialize;

use super::Place;
use super::dialect::{self, Fault};
use crate::domain::time::WallTime;
use crate::ports::store::StoreError;

const TAKEN: &str = "SELECT version FROM seaql_migrations ORDER BY version";
const NEWEST: &str = "SELECT max(at) FROM event";

/// One step of the schema.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Step {
    /// What it is called.
    pub name: String,
    /// Whether the database has taken it.
    pub taken: bool,
    /// Whether this program knows it. One that it does not know comes from a newer one.
    pub known: bool,
}

/// What a database says of itself.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Standing {
    /// Every step, oldest first.
    pub steps: Vec<Step>,
    /// When the newest event in it was written.
    pub newest: Option<WallTime>,
}

/// Looks at the database at `place`, which has to exist, through a connection that cannot write. A server may work on it.
pub async fn look(place: &Place) -> Result<Standing, StoreError> {
    let db = dialect::open_witness(place).await?;
    let taken = taken(&db).await?;
    let mut steps = known(&taken);
    let strange = taken.into_iter().filter(|name| !steps.iter().any(|step| step.name == *name));
    let strange: Vec<Step> = strange.map(|name| Step { name, taken: true, known: false }).collect();
    steps.extend(strange);
    let newest = if steps.first().is_some_and(|step| step.taken) {
        let rows = dialect::query(&db, NEWEST, []).await?;
        rows.first().map_or(Ok(None), |row| row.try_get_by_index(0)).map_err(Fault::from)?
    } else {
        None
    };
    // Nothing was written; what the end says about it does not matter.
    db.close().await.unwrap_or(());
    Ok(Standing { steps, newest: newest.map(WallTime) })
}

/// The steps this program knows.
pub fn all() -> Vec<String> {
    Migrator::migrations().iter().map(|step| step.name().to_owned()).collect()
}

/// Makes the database at `place` if there is none, and takes the steps it lacks, one transaction each. `took` hears of each.
pub async fn take(place: &Place, mut took: impl FnMut(&str)) -> Result<(), StoreError> {
    let db = dialect::open_owner(place).await?;
    let taken = taken(&db).await?;
    for step in known(&taken).into_iter().filter(|step| !step.taken) {
        Migrator::up(&db, Some(1)).await.map_err(Fault::from)?;
        took(&step.name);
    }
    db.close().await.map_err(Fault::from)?;
    Ok(())
}

fn known(taken: &[String]) -> Vec<Step> {
    let step = |name: String| Step { taken: taken.contains(&name), name, known: true };
    all().into_iter().map(step).collect()
}

async fn taken(db: &sea_orm::DatabaseConnection) -> Result<Vec<String>, StoreError> {
    let begun =
        db.query_one_raw(dialect::statement(db, dialect::HAS_STEPS, [])).await.map_err(Fault::from)?;
    if begun.is_none() {
        return Ok(vec![]);
    }
    let rows = dialect::query(db, TAKEN, []).await?;
    let names: Result<Vec<String>, _> = rows.iter().map(|row| row.try_get_by_index(0)).collect();
    Ok(names.map_err(Fault::from)?)
}
