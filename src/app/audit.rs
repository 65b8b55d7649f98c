//! Walks the log of what operators did, where it lies.

use std::path::Path;

use super::backends::database_path;
use super::exit::Failure;
use crate::config::Config;
use crate::domain::audit::{Head, Misfit};
use crate::storage::sql::audit;

/// What a walk found: the log's end, or the first entry that does not fit.
pub type Found = Result<Head, Misfit>;

/// Walks the log in the data directory `data`, through the heads that are known from elsewhere. Changes nothing; a server may
/// be at work on it.
pub async fn verify(config: &Config, data: &Path, known: Vec<Head>) -> Result<Found, Failure> {
    let path = database_path(config, data);
    if !path.is_file() {
        let advice = "give the server's data directory with --data";
        return Err(Failure::Usage(format!("there is no database {}; {advice}", path.display())));
    }
    audit::verify(&path, known).await.map_err(|error| {
        let advice =
            "a database of an older version has no audit log until the server has been started on it";
        Failure::Unavailable(format!("cannot read {}: {error}; {advice}", path.display()))
    })
}
