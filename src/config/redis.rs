//! Section `redis`: what several processes share. Without it each keeps the same in its memory.

use std::fmt;

use serde::Deserialize;
use url::form_urlencoded;

/// Section `redis`.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RedisOptions {
    /// Where it is, as [`RedisAddress`] reads it; empty for none.
    pub url: String,
    /// What sentinels ask for; empty for nothing. Often not what the servers they watch ask for.
    pub sentinel_password: String,
}

/// How the servers at an address belong together.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Kind {
    /// One server.
    Single,
    /// Sentinels, which know the server that takes writes under this name.
    Sentinel(String),
    /// A cluster, of which any node tells the others.
    Cluster,
}

/// Where Redis is: `redis://user:password@host:6379/0`, `sentinel://user:password@a,b:26380/name/0` or
/// `cluster://user:password@a,b`. With an `s` at the end of the scheme it is spoken to over TLS. User and password are
/// those of the servers that keep data; special characters in them are percent-encoded.
#[derive(Clone, PartialEq, Eq)]
pub struct RedisAddress {
    /// How the hosts belong together.
    pub kind: Kind,
    /// `host:port` each; one at least.
    pub hosts: Vec<String>,
    /// Whether TLS is spoken.
    pub tls: bool,
    /// Number of the database; a cluster has only 0.
    pub database: u16,
    /// `user:password`, as it was given.
    credentials: Option<String>,
    /// What sentinels ask for.
    sentinel_password: String,
}

/// Without the password.
impl fmt::Debug for RedisAddress {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("RedisAddress")
            .field("kind", &self.kind)
            .field("hosts", &self.hosts)
            .finish_non_exhaustive()
    }
}

const FORMS: &str =
    "give redis://HOST:PORT, sentinel://HOST,HOST/NAME or cluster://HOST,HOST, or \"\" to do without";

impl RedisOptions {
    /// The address, if one is set; otherwise what is wrong with it, without anything that may be secret.
    pub fn address(&self) -> Result<Option<RedisAddress>, String> {
        if self.url.is_empty() {
            return Ok(None);
        }
        let sentinel_password = self.sentinel_password.clone();
        Ok(Some(RedisAddress { sentinel_password, ..RedisAddress::parse(&self.url)? }))
    }
}

impl RedisAddress {
    fn parse(url: &str) -> Result<Self, String> {
        let (scheme, rest) = url.split_once("://").ok_or_else(|| format!("it has no scheme; {FORMS}"))?;
        let (bare, tls) = match scheme.strip_suffix('s') {
            Some(bare) if bare != "redi" => (bare, true),
            _ => (scheme, false),
        };
        // A password may hold anything but an @ of its own, even where it should have been encoded.
        let (credentials, place) = match rest.rsplit_once('@') {
            Some((credentials, place)) => (Some(credentials.to_owned()), place),
            None => (None, rest),
        };
        if place.contains(['?', '#']) {
            return Err(format!("it takes no parameters after ? or #; {FORMS}"));
        }
        let (hosts, path) = place.split_once('/').unwrap_or((place, ""));
        let (kind, port, database) = match bare {
            "redis" => (Kind::Single, 6_379, path),
            "sentinel" => {
                let (name, database) = path.split_once('/').unwrap_or((path, ""));
                if name.is_empty() {
                    return Err(
                        "after the sentinels' hosts the name is missing that they know the server by, \
                                such as /mymaster"
                            .to_owned(),
                    );
                }
                (Kind::Sentinel(name.to_owned()), 26_379, database)
            }
            "cluster" if path.is_empty() => (Kind::Cluster, 6_379, path),
            "cluster" => {
                return Err("a cluster has only database 0; leave away what follows the hosts".to_owned());
            }
            _ => return Err(format!("`{scheme}` is not supported; {FORMS}")),
        };
        let database = match database {
            "" => 0,
            number => number.parse().map_err(|_| format!("`{number}` is no number of a database"))?,
        };
        let hosts: Vec<String> =
            hosts.split(',').map(|host| with_port(host, port)).collect::<Result<_, _>>()?;
        if kind == Kind::Single && hosts.len() > 1 {
            return Err("redis:// names one server; several are sentinel:// or cluster://".to_owned());
        }
        Ok(Self { kind, hosts, tls, database, credentials, sentinel_password: String::new() })
    }

    /// What a client of one server is told: `redis://user:password@host:port/database`. Holds the password.
    pub fn server_url(&self, host: &str) -> String {
        let scheme = if self.tls { "rediss" } else { "redis" };
        let credentials = self.credentials.as_ref().map(|given| format!("{given}@")).unwrap_or_default();
        format!("{scheme}://{credentials}{host}/{}", self.database)
    }

    /// What a client of one sentinel is told: nothing of the servers it watches. May hold the sentinels' password.
    pub fn sentinel_url(&self, host: &str) -> String {
        let scheme = if self.tls { "rediss" } else { "redis" };
        let password: String = form_urlencoded::byte_serialize(self.sentinel_password.as_bytes()).collect();
        // In an address a space is no plus.
        let password = password.replace('+', "%20");
        let credentials = if password.is_empty() { String::new() } else { format!(":{password}@") };
        format!("{scheme}://{credentials}{host}/0")
    }
}

fn with_port(host: &str, port: u16) -> Result<String, String> {
    let (name, given) = match host.rsplit_once(':') {
        // Colons within brackets belong to an address of IPv6.
        Some((name, given)) if !given.contains(']') => (name, Some(given)),
        _ => (host, None),
    };
    if name.is_empty() {
        return Err(format!("a host is missing; {FORMS}"));
    }
    let port = given.map_or(Ok(port), |given| given.parse().map_err(|_| format!("`{given}` is no port")))?;
    Ok(format!("{name}:{port}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(url: &str) -> Result<RedisAddress, String> {
        RedisAddress::parse(url)
    }

    #[test]
    fn an_address_names_servers_how_they_belong_together_and_what_opens_them() {
        let single = read("redis://me:s%40cret@cache.example/3").expect("complete");
        assert_eq!((single.kind.clone(), single.tls, single.database), (Kind::Single, false, 3));
        assert_eq!(single.server_url(&single.hosts[0]), "redis://me:s%40cret@cache.example:6379/3");
        let watched = read("sentinels://:pw@a,b:26380,[::1]/mymaster/1").expect("complete");
        assert_eq!(watched.kind, Kind::Sentinel("mymaster".to_owned()));
        assert_eq!(watched.hosts, ["a:26379", "b:26380", "[::1]:26379"]);
        assert_eq!(watched.sentinel_url("a:26379"), "rediss://a:26379/0");
        let asking = RedisAddress { sentinel_password: "a b@c".to_owned(), ..watched };
        assert_eq!(asking.sentinel_url("a:26379"), "rediss://:a%20b%40c@a:26379/0");
        let cluster = read("cluster://a:1,b:2").expect("complete");
        assert_eq!((cluster.kind, cluster.hosts), (Kind::Cluster, vec!["a:1".to_owned(), "b:2".to_owned()]));
        assert!(read("rediss://a").expect("complete").tls);
    }

    #[test]
    fn what_is_no_address_is_refused_without_repeating_a_password() {
        for (url, word) in [
            ("cache:6379", "no scheme"),
            ("amqp://me:secret@a", "`amqp` is not supported"),
            ("redis://me:secret@", "a host is missing"),
            ("redis://me:secret@a,b", "one server"),
            ("redis://me:secret@a/x", "`x` is no number"),
            ("redis://me:secret@a:x", "`x` is no port"),
            ("sentinel://me:secret@a", "/mymaster"),
            ("cluster://me:secret@a/1", "only database 0"),
            ("redis://me:secret@a/0?x=1", "no parameters"),
        ] {
            let refused = read(url).expect_err(url);
            assert!(refused.contains(word) && !refused.contains("secret"), "{url}: {refused}");
        }
        let shown = format!("{:?}", read("redis://me:secret@a").expect("complete"));
        assert!(!shown.contains("secret"), "{shown}");
    }
}
