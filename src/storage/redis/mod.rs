//! Redis behind the ports that run in process by default. It is an accelerator: whatever it keeps can be lost and is
//! rebuilt, and every adapter works on without it and comes back to it by itself.
//!
//! Keys are `columba:{shard}:…`, so that what belongs to a tenant lies in one slot of a cluster.

pub mod edge;
pub mod feed;
pub mod keys;
pub mod limits;
pub mod line;
pub mod nodes;
pub mod pool;
pub mod script;
pub mod survey;
pub mod tickets;

pub use self::line::{OpenError, Redis};

use self::pool::Pool;
use self::survey::Survey;
use crate::config::redis::RedisAddress;
use crate::ports::clock::Clock;

/// How the servers at `address` stand, for whoever looks into an installation; or why that cannot be told.
pub async fn look(address: &RedisAddress, clock: &dyn Clock) -> Result<Survey, String> {
    let pool = Pool::new(address).map_err(|error| error.to_string())?;
    let (mut connection, mut survey) = line::attempt(&pool).await?;
    survey.latency = Some(line::latency(&mut connection, clock).await?);
    Ok(survey)
}
