//! What the operator can set, one file per section: embedded defaults, then a file, the environment, flags. Unknown
//! keys are refused by name.

use std::collections::BTreeSet;
use std::path::Path;

use serde::Deserialize;
use thiserror::Error;

pub mod database;
pub mod http;
pub mod log;
pub mod sandbox;
pub mod sessions;
pub mod vault;
pub mod webhooks;

/// Every key with its default and what it means; what `default-config` prints.
pub const DEFAULT: &str = include_str!("../../config/default.toml");

/// What environment variables begin with.
pub const ENV_PREFIX: &str = "COLUMBA";

/// Everything the operator can set.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
#[expect(missing_docs, reason = "each section is documented at its type")]
pub struct Config {
    pub http: http::HttpOptions,
    pub database: database::DatabaseOptions,
    pub vault: vault::VaultOptions,
    pub sandbox: sandbox::SandboxOptions,
    pub sessions: sessions::SessionsOptions,
    pub webhooks: webhooks::WebhooksOptions,
    pub log: log::LogOptions,
}

/// A setting that cannot be used. Every text names the key, what was given, and what is allowed.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum ConfigError {
    /// No such key.
    #[error("unknown key `{key}`{hint}; `columba default-config` prints every key there is")]
    UnknownKey {
        /// As it was given.
        key: String,
        /// The nearest key there is.
        hint: String,
    },
    /// A value that does not fit.
    #[error("key `{key}`: {problem}")]
    BadValue {
        /// Whose value.
        key: String,
        /// What was given and what is allowed.
        problem: String,
    },
    /// The file cannot be read.
    #[error("{0}")]
    Unreadable(String),
}

/// Reads the settings: `file` over the defaults, `environment` (pairs of name and value) over it, `flags` (pairs of
/// dotted key and value) over all.
pub fn load(
    file: Option<&Path>,
    environment: impl IntoIterator<Item = (String, String)>,
    flags: &[(&str, String)],
) -> Result<Config, ConfigError> {
    let defaults = parse(DEFAULT, "the embedded defaults")?;
    let known = keys_of(&defaults);
    let mut builder = config::Config::builder().add_source(defaults);
    if let Some(path) = file {
        let text = std::fs::read_to_string(path)
            .map_err(|error| ConfigError::Unreadable(format!("cannot read {}: {error}", path.display())))?;
        let file = parse(&text, &path.display().to_string())?;
        refuse_unknown(&keys_of(&file), &known, |key| key.to_owned())?;
        builder = builder.add_source(file);
    }
    let environment: std::collections::HashMap<String, String> =
        environment.into_iter().filter(|(name, _)| name.starts_with(&format!("{ENV_PREFIX}__"))).collect();
    let given: BTreeSet<String> = environment.keys().map(|name| dotted(name)).collect();
    refuse_unknown(&given, &known, variable)?;
    builder = builder.add_source(
        config::Environment::with_prefix(ENV_PREFIX)
            .prefix_separator("__")
            .separator("__")
            .list_separator(",")
            .with_list_parse_key("http.allowed_origins")
            .with_list_parse_key("webhooks.allow_private")
            .with_list_parse_key("webhooks.ports")
            .try_parsing(true)
            .source(Some(environment)),
    );
    for (key, value) in flags {
        builder = builder.set_override(*key, value.as_str()).map_err(|error| bad_value(key, &error))?;
    }
    let merged = builder.build().map_err(|error| ConfigError::Unreadable(error.to_string()))?;
    let config: Config = serde_path_to_error::deserialize(merged).map_err(|error| {
        let key = error.path().to_string();
        bad_value(&key, &error.into_inner())
    })?;
    config.check()?;
    Ok(config)
}

impl Config {
    /// What types cannot say.
    fn check(&self) -> Result<(), ConfigError> {
        let wrong = |key: &str, problem: String| ConfigError::BadValue { key: key.to_owned(), problem };
        if self.http.listen.parse::<std::net::SocketAddr>().is_err() {
            let problem =
                format!("`{}` is no address; give IP:PORT, such as 127.0.0.1:8080", self.http.listen);
            return Err(wrong("http.listen", problem));
        }
        if self.http.body_limit < 1_024 || self.http.body_limit > 16 << 20 {
            let problem = format!("{} is not between 1024 and 16777216 bytes", self.http.body_limit);
            return Err(wrong("http.body_limit", problem));
        }
        let database = &self.database.url;
        if !database.is_empty() && !database.starts_with("sqlite://") {
            // Not the whole of it: a password may be in there.
            let scheme = database.split(':').next().unwrap_or_default();
            let problem = format!(
                "`{scheme}` is not supported so far, only sqlite:// is; leave it \"\" for a file in the data directory"
            );
            return Err(wrong("database.url", problem));
        }
        let sandbox = &self.sandbox.url;
        if !sandbox.is_empty() && !sandbox.starts_with("http://") {
            return Err(wrong(
                "sandbox.url",
                format!("`{sandbox}` is no http:// address; give one, or \"\" for a network in this process"),
            ));
        }
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

/// `given` has to be among `known`; `shown` is how its giver wrote it.
fn refuse_unknown(
    given: &BTreeSet<String>,
    known: &BTreeSet<String>,
    shown: impl Fn(&str) -> String,
) -> Result<(), ConfigError> {
    let Some(key) = given.difference(known).next() else { return Ok(()) };
    let nearest = known.iter().max_by(|a, b| {
        let likeness = |other: &str| strsim::jaro_winkler(key, other);
        likeness(a).total_cmp(&likeness(b))
    });
    let near = nearest.filter(|near| strsim::jaro_winkler(key, near) > 0.8);
    let hint = near.map_or(String::new(), |near| format!(", did you mean `{}`?", shown(near)));
    Err(ConfigError::UnknownKey { key: shown(key), hint })
}

/// `COLUMBA__HTTP__LISTEN` as `http.listen`.
fn dotted(variable: &str) -> String {
    variable.trim_start_matches(ENV_PREFIX).trim_start_matches("__").replace("__", ".").to_lowercase()
}

/// `http.listen` as `COLUMBA__HTTP__LISTEN`.
fn variable(key: &str) -> String {
    format!("{ENV_PREFIX}__{}", key.replace('.', "__").to_uppercase())
}

fn bad_value(key: &str, error: &config::ConfigError) -> ConfigError {
    ConfigError::BadValue { key: key.to_owned(), problem: error.to_string() }
}
