//! Connections to one server, to the one that sentinels name, or to a cluster, spoken to in the same way.

use std::collections::BTreeMap;
use std::time::Duration;

use deadpool_redis::redis::aio::ConnectionLike;
use deadpool_redis::redis::{
    AsyncConnectionConfig, Cmd, IntoConnectionInfo as _, Pipeline, RedisError, RedisResult, Value,
};
use deadpool_redis::{cluster, sentinel};
use futures_util::future::join_all;

use crate::config::redis::{Kind, RedisAddress};

/// Connections kept at most: one for what is asked, the others for looks and for a successor of one that was dropped.
const CONNECTIONS: usize = 4;
/// How long the network may take to connect.
const CONNECTING: Duration = Duration::from_secs(1);
/// How long an answer may take. Who asks for connections or answers sets a limit of their own around all of it.
pub const ANSWERING: Duration = Duration::from_millis(800);

/// The pool of one address.
#[derive(Clone)]
pub enum Pool {
    /// To one server.
    Single(deadpool_redis::Pool),
    /// To whichever server the sentinels name.
    Sentinel(sentinel::Pool),
    /// To all servers of a cluster.
    Cluster(cluster::Pool),
}

/// A connection out of a [`Pool`]; it goes back when it is dropped, unless it was [discarded](Self::discard).
pub enum Connection {
    /// To one server.
    Single(deadpool_redis::Connection),
    /// To the server the sentinels named.
    Sentinel(sentinel::Connection),
    /// To all servers of a cluster.
    Cluster(cluster::Connection),
}

/// A command and the shard its keys belong to.
pub type Addressed = (u8, Cmd);

impl Pool {
    /// Connects nowhere yet.
    pub fn new(address: &RedisAddress) -> RedisResult<Self> {
        let urls =
            |url: &dyn Fn(&str) -> String| address.hosts.iter().map(|host| url(host)).collect::<Vec<_>>();
        Ok(match &address.kind {
            Kind::Single => {
                let config = AsyncConnectionConfig::new()
                    .set_connection_timeout(Some(CONNECTING))
                    .set_response_timeout(Some(ANSWERING));
                let url = address.server_url(&address.hosts[0]);
                let manager = deadpool_redis::Manager::new_with_config(url, config)?;
                Self::Single(built(deadpool_redis::Pool::builder(manager).max_size(CONNECTIONS).build())?)
            }
            Kind::Sentinel(name) => {
                let server = address.server_url(&address.hosts[0]).into_connection_info()?;
                let settings = server.redis_settings();
                let info = sentinel::SentinelNodeConnectionInfo {
                    tls_mode: address.tls.then_some(sentinel::TlsMode::Secure),
                    redis_connection_info: Some(deadpool_redis::RedisConnectionInfo {
                        db: settings.db(),
                        username: settings.username().map(ToOwned::to_owned),
                        password: settings.password().map(ToOwned::to_owned),
                        ..Default::default()
                    }),
                };
                let sentinels = urls(&|host| address.sentinel_url(host));
                let kind = sentinel::SentinelServerType::Master;
                let manager = sentinel::Manager::new(sentinels, name.clone(), Some(info), kind)?;
                Self::Sentinel(built(sentinel::Pool::builder(manager).max_size(CONNECTIONS).build())?)
            }
            Kind::Cluster => {
                let manager = cluster::Manager::new(urls(&|host| address.server_url(host)), false)?;
                Self::Cluster(built(cluster::Pool::builder(manager).max_size(CONNECTIONS).build())?)
            }
        })
    }

    /// A connection that has answered just now; the error says why there is none.
    pub async fn connection(&self) -> Result<Connection, String> {
        let said = |error: &dyn std::fmt::Display| error.to_string();
        match self {
            Self::Single(pool) => pool.get().await.map(Connection::Single).map_err(|error| said(&error)),
            Self::Sentinel(pool) => pool.get().await.map(Connection::Sentinel).map_err(|error| said(&error)),
            Self::Cluster(pool) => pool.get().await.map(Connection::Cluster).map_err(|error| said(&error)),
        }
    }
}

/// A pool without time-outs of its own can always be built.
fn built<T, E: std::fmt::Display>(pool: Result<T, E>) -> RedisResult<T> {
    use deadpool_redis::redis::ErrorKind;
    pool.map_err(|error| RedisError::from((ErrorKind::InvalidClientConfig, "no pool", error.to_string())))
}

impl Connection {
    /// Sends all commands at once and answers in their order; what a server refused is among the answers. In a cluster
    /// those of one shard go together.
    pub async fn ask(&mut self, commands: Vec<Addressed>) -> RedisResult<Vec<Value>> {
        match self {
            Self::Single(connection) => {
                send(connection, &of(commands.iter().map(|(_, command)| command))).await
            }
            Self::Sentinel(connection) => {
                send(connection, &of(commands.iter().map(|(_, command)| command))).await
            }
            Self::Cluster(connection) => {
                let mut shards: BTreeMap<u8, Vec<usize>> = BTreeMap::new();
                for (place, (shard, _)) in commands.iter().enumerate() {
                    shards.entry(*shard).or_default().push(place);
                }
                let sends = shards.values().map(|places| {
                    let pipeline = of(places.iter().map(|&place| &commands[place].1));
                    // A clone speaks over the same sockets.
                    let mut connection = (**connection).clone();
                    async move { send(&mut connection, &pipeline).await }
                });
                let mut answers = vec![Value::Nil; commands.len()];
                for (places, values) in shards.values().zip(join_all(sends).await) {
                    for (&place, value) in places.iter().zip(values?) {
                        answers[place] = value;
                    }
                }
                Ok(answers)
            }
        }
    }

    /// Whether several servers stand behind it.
    pub fn is_to_many(&self) -> bool {
        matches!(self, Self::Cluster(_))
    }

    /// Closes it, so that nobody gets it again.
    pub fn discard(self) {
        match self {
            Self::Single(connection) => drop(deadpool_redis::Connection::take(connection)),
            Self::Sentinel(connection) => drop(sentinel::Connection::take(connection)),
            Self::Cluster(connection) => drop(cluster::Connection::take(connection)),
        }
    }
}

fn of<'a>(commands: impl Iterator<Item = &'a Cmd>) -> Pipeline {
    let mut pipeline = Pipeline::new();
    pipeline.ignore_errors();
    for command in commands {
        pipeline.add_command(command.clone());
    }
    pipeline
}

async fn send(connection: &mut impl ConnectionLike, pipeline: &Pipeline) -> RedisResult<Vec<Value>> {
    let count = pipeline.cmd_iter().count();
    let answers = connection.req_packed_commands(pipeline, 0, count).await?;
    if answers.len() == count {
        return Ok(answers);
    }
    use deadpool_redis::redis::ErrorKind;
    Err((ErrorKind::UnexpectedReturnType, "not as many answers as commands").into())
}
