//! Taking the schema's steps without serving.

use std::path::Path;

use super::backends::database;
use super::data_dir::DataDir;
use super::exit::Failure;
use crate::config::Config;
use crate::storage::sql::steps;

/// Takes the steps that the configured database lacks, while nobody else works on its data directory. `took` hears of
/// each.
pub async fn run(config: &Config, data: &Path, took: impl FnMut(&str)) -> Result<(), Failure> {
    let data = DataDir::lock(data)?;
    let place = database(config, data.path());
    steps::take(&place, took)
        .await
        .map_err(|error| Failure::Unavailable(format!("cannot migrate the database {place}: {error}")))
}
