//! Walks the log of what operators did, where it lies.

use std::path::Path;

use super::backends::database;
use super::exit::Failure;
use crate::config::Config;
use crate::domain::audit::{Head, Misfit};
use crate::storage::sql::{Place, audit};

/// What a walk found: the log's end, or the first entry that does not fit.
pub type Found = Result<Head, Misfit>;

/// Walks the log in the data directory `data`, through the heads that are known from elsewhere. Changes nothing; a server may
/// be at work on it.
pub async fn verify(config: &Config, data: &Path, known: Vec<Head>) -> Result<Found, Failure> {
    let place = database(config, data);
    if matches!(&place, Place::File(path) if !path.is_file()) {
        return Err(Failure::Usage(format!("there is no database {place}")));
    }
    let unreadable = |error| Failure::Unavailable(format!("cannot read {place}: {error}"));
    audit::verify(&place, known).await.map_err(unreadable)
}
