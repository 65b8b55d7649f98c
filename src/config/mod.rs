//! What the operator can set, one file per section: embedded defaults, then a file, the environment, flags. Unknown
//! keys are refused by name.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use serde::Deserialize;
use serde_json::Value;
use thiserror::Error;

use self::file::SettingsFile;
pub use self::names::{ENV_PREFIX, Stray, UnknownKey};
pub use self::source::{Setting, Source, is_secret};

pub mod billing;
pub mod bridges;
pub mod database;
mod file;
pub mod http;
pub mod log;
mod names;
pub mod redis;
pub mod sandbox;
pub mod sessions;
mod source;
pub mod vault;
pub mod webhooks;

/// Every key with its default and what it means; what `default-config` prints.
pub const DEFAULT: &str = include_str!("../../config/default.toml");

/// Everything the operator can set.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
#[expect(missing_docs, reason = "each section is documented at its type")]
pub struct Config {
    pub http: http::HttpOptions,
    pub database: database::DatabaseOptions,
    pub redis: redis::RedisOptions,
    pub vault: vault::VaultOptions,
    pub sandbox: sandbox::SandboxOptions,
    pub bridges: bridges::BridgesOptions,
    pub sessions: sessions::SessionsOptions,
    pub webhooks: webhooks::WebhooksOptions,
    pub billing: billing::BillingOptions,
    pub log: log::LogOptions,
}

/// A setting that cannot be used. Every text names the key, where it stands, what was given, and what is allowed.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum ConfigError {
    /// There are no such keys; a line each.
    #[error("{}", joined(.0))]
    UnknownKeys(Vec<UnknownKey>),
    /// A value that does not fit.
    #[error("key `{key}`{place}: {problem}", place = placed(.given_by))]
    BadValue {
        /// Whose value.
        key: String,
        /// Who gave it.
        given_by: Source,
        /// What was given and what is allowed.
        problem: String,
    },
    /// The file cannot be read.
    #[error("{0}")]
    Unreadable(String),
}

fn joined(unknown: &[UnknownKey]) -> String {
    unknown.iter().map(ToString::to_string).collect::<Vec<_>>().join("\n")
}

fn placed(source: &Source) -> String {
    if *source == Source::Default { String::new() } else { format!(" ({source})") }
}

/// Settings that can be used, and how each of them came about.
#[derive(Debug, Clone, PartialEq)]
pub struct Loaded {
    /// The settings.
    pub config: Config,
    /// Each key with its value and its source, in order of their names. Secrets are masked.
    pub settings: Vec<Setting>,
    /// Variables that look like settings and are not read.
    pub strays: Vec<Stray>,
}

/// Reads the settings: `file` over the defaults, `environment` (pairs of name and value) over it, `flags` (pairs of
/// dotted key and value; the flag is called as the key's last part) over all.
pub fn load(
    file: Option<&Path>,
    environment: impl IntoIterator<Item = (String, String)>,
    flags: &[(&str, String)],
) -> Result<Loaded, ConfigError> {
    let defaults = parse(DEFAULT, "the embedded defaults")?;
    let known = keys_of(&defaults);
    let mut sources: BTreeMap<String, Source> = BTreeMap::new();
    let mut unknown = vec![];
    let mut builder = config::Config::builder().add_source(defaults);
    if let Some(path) = file {
        let file = SettingsFile::read(path)?;
        builder = builder.add_source(parse(&file.text, &path.display().to_string())?);
        sources.extend(file.keys);
    }
    unknown.extend(refused(&sources, &known));
    let (ours, others): (BTreeMap<_, _>, BTreeMap<_, _>) =
        environment.into_iter().partition(|(name, _)| name.starts_with(&format!("{ENV_PREFIX}__")));
    let variables: BTreeMap<String, Source> =
        ours.keys().map(|name| (names::dotted(name), Source::Environment(name.clone()))).collect();
    unknown.extend(refused(&variables, &known));
    if !unknown.is_empty() {
        return Err(ConfigError::UnknownKeys(unknown));
    }
    sources.extend(variables);
    builder = builder.add_source(
        config::Environment::with_prefix(ENV_PREFIX)
            .prefix_separator("__")
            .separator("__")
            .list_separator(",")
            .with_list_parse_key("http.allowed_origins")
            .with_list_parse_key("http.trusted_proxies")
            .with_list_parse_key("webhooks.allow_private")
            .with_list_parse_key("webhooks.ports")
            .with_list_parse_key("billing.issuer.address")
            .with_list_parse_key("billing.fonts")
            .with_list_parse_key("billing.stripe.endpoint_secrets")
            .try_parsing(true)
            .source(Some(ours.into_iter().collect())),
    );
    for (key, value) in flags {
        let name = key.rsplit('.').next().unwrap_or_default().replace('_', "-");
        sources.insert((*key).to_owned(), Source::Flag(format!("--{name}")));
        builder =
            builder.set_override(*key, value.as_str()).map_err(|error| bad_value(key, &error, &sources))?;
    }
    let merged = builder.build().map_err(|error| ConfigError::Unreadable(error.to_string()))?;
    let settings = settings(&merged, &known, &sources);
    let config: Config = serde_path_to_error::deserialize(merged).map_err(|error| {
        let key = error.path().to_string();
        bad_value(&key, &error.into_inner(), &sources)
    })?;
    config.check().map_err(|(key, problem)| ConfigError::BadValue {
        key: key.to_owned(),
        given_by: given_byof(key, &sources),
        problem,
    })?;
    Ok(Loaded { config, settings, strays: names::strays(others.keys(), &known) })
}

impl Config {
    /// What types cannot say: the key, what was given, what is allowed.
    fn check(&self) -> Result<(), (&'static str, String)> {
        if self.http.listen.parse::<std::net::SocketAddr>().is_err() {
            let problem =
                format!("`{}` is no address; give IP:PORT, such as 127.0.0.1:8080", self.http.listen);
            return Err(("http.listen", problem));
        }
        let public_url = &self.http.public_url;
        let is_address = public_url.parse::<url::Url>().is_ok_and(|url| {
            ["http", "https"].contains(&url.scheme()) && url.query().is_none() && url.fragment().is_none()
        });
        if !public_url.is_empty() && !is_address {
            let problem = format!(
                "`{public_url}` is no address of a server; give one such as https://columba.example.com, or \"\""
            );
            return Err(("http.public_url", problem));
        }
        if self.http.body_limit < 1_024 || self.http.body_limit > 16 << 20 {
            let problem = format!("{} is not between 1024 and 16777216 bytes", self.http.body_limit);
            return Err(("http.body_limit", problem));
        }
        let database = &self.database.url;
        let known = ["sqlite://", "postgres://", "postgresql://"];
        if !database.is_empty() && !known.iter().any(|scheme| database.starts_with(scheme)) {
            // Not the whole of it: a password may be in there.
            let scheme = database.split(':').next().unwrap_or_default();
            let problem = format!(
                "`{scheme}` is not supported, sqlite:// and postgres:// are; leave it \"\" for a file in the data directory"
            );
            return Err(("database.url", problem));
        }
        self.redis.address().map_err(|problem| ("redis.url", problem))?;
        let sandbox = &self.sandbox.url;
        if !sandbox.is_empty() && !sandbox.starts_with("http://") {
            return Err((
                "sandbox.url",
                format!("`{sandbox}` is no http:// address; give one, or \"\" for a network in this process"),
            ));
        }
        self.bridges.check()?;
        self.billing.check()?;
        Ok(())
    }
}

fn parse(text: &str, name: &str) -> Result<config::Config, ConfigError> {
    config::Config::builder()
        .add_source(config::File::from_str(text, config::FileFormat::Toml))
        .build()
        .map_err(|error| ConfigError::Unreadable(format!("{name} is no TOML: {error}")))
}

/// Dotted names of every value.
fn keys_of(source: &config::Config) -> BTreeSet<String> {
    fn walk(prefix: &str, value: &config::Value, keys: &mut BTreeSet<String>) {
        match &value.kind {
            config::ValueKind::Table(table) => {
                for (name, value) in table {
                    let path = if prefix.is_empty() { name.clone() } else { format!("{prefix}.{name}") };
                    walk(&path, value, keys);
                }
            }
            _ => drop(keys.insert(prefix.to_owned())),
        }
    }
    let mut keys = BTreeSet::new();
    walk("", &source.cache, &mut keys);
    keys
}

/// What is wrong with the names among `given`.
fn refused(given: &BTreeMap<String, Source>, known: &BTreeSet<String>) -> Vec<UnknownKey> {
    let unknown = given.iter().filter(|(key, _)| !known.contains(*key));
    unknown.map(|(key, source)| UnknownKey::new(key, source, known)).collect()
}

fn given_byof(key: &str, sources: &BTreeMap<String, Source>) -> Source {
    sources.get(key).cloned().unwrap_or(Source::Default)
}

fn settings(
    merged: &config::Config,
    known: &BTreeSet<String>,
    sources: &BTreeMap<String, Source>,
) -> Vec<Setting> {
    let setting = |key: &String| {
        let value = merged.get::<Value>(key).unwrap_or_default();
        Setting { key: key.clone(), value: source::masked(key, value), source: given_byof(key, sources) }
    };
    known.iter().map(setting).collect()
}

/// The library names key and source again at the end of its text; they stand at the beginning of ours.
fn bad_value(key: &str, error: &config::ConfigError, sources: &BTreeMap<String, Source>) -> ConfigError {
    let mut problem = error.to_string();
    if let Some(end) = problem.find(" for key `") {
        problem.truncate(end);
    }
    ConfigError::BadValue { key: key.to_owned(), given_by: given_byof(key, sources), problem }
}
