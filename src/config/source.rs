//! Where the value of a key comes from, and how it is shown to people.

use std::fmt;
use std::path::PathBuf;

use serde::Serialize;
use serde_json::Value;

/// Who gave a key its value.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(tag = "kind", rename_all = "snake_case")]
pub enum Source {
    /// Nobody: the embedded default.
    Default,
    /// The operator's file.
    File {
        /// As it was named.
        path: PathBuf,
        /// Counted from 1.
        line: usize,
    },
    /// A variable of this name.
    #[serde(serialize_with = "named")]
    Environment(String),
    /// A flag of this name.
    #[serde(serialize_with = "named")]
    Flag(String),
}

fn named<S: serde::Serializer>(name: &str, serializer: S) -> Result<S::Ok, S::Error> {
    std::collections::BTreeMap::from([("name", name)]).serialize(serializer)
}

impl fmt::Display for Source {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Default => f.write_str("default"),
            Self::File { path, line } => write!(f, "{}:{line}", path.display()),
            Self::Environment(name) | Self::Flag(name) => f.write_str(name),
        }
    }
}

/// One key as it binds.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Setting {
    /// Its dotted name.
    pub key: String,
    /// What it is set to, with secrets masked.
    pub value: Value,
    /// Who said so.
    pub source: Source,
}

/// What stands in place of a secret.
const MASK: &str = "***";
/// A key whose name ends like this holds a secret, whoever adds it.
const SECRET: [&str; 6] = ["secret", "secrets", "token", "password", "passphrase", ".key"];

/// Whether the value of a key is a secret.
pub fn is_secret(key: &str) -> bool {
    SECRET.iter().any(|word| key.ends_with(word))
}

/// `value` as it may be shown: secrets are masked by the name of their key, and passwords in addresses by their place.
pub(super) fn masked(key: &str, value: Value) -> Value {
    match value {
        Value::String(text) if !text.is_empty() && is_secret(key) => MASK.into(),
        Value::String(text) => without_password(&text).into(),
        Value::Array(all) => all.into_iter().map(|one| masked(key, one)).collect(),
        other => other,
    }
}

/// `postgres://name:***@host/db`, whatever the password was, and also when it holds an `@` or a `/`.
fn without_password(text: &str) -> String {
    let Some((scheme, rest)) = text.split_once("://") else { return text.to_owned() };
    let Some((user, host)) = rest.rsplit_once('@') else { return text.to_owned() };
    let user = user.split(':').next().unwrap_or_default();
    format!("{scheme}://{user}:{MASK}@{host}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn secrets_are_masked_by_name_and_passwords_by_place() {
        for (key, given, shown) in [
            ("database.url", "sqlite:///var/lib/columba.db", "sqlite:///var/lib/columba.db"),
            ("database.url", "postgres://columba:hunter2@db/columba", "postgres://columba:***@db/columba"),
            (
                "database.url",
                "postgres://columba:a@b/c:d@db:5432/columba",
                "postgres://columba:***@db:5432/columba",
            ),
            ("database.url", "postgres://columba@db/columba", "postgres://columba:***@db/columba"),
            ("mail.smtp_password", "hunter2", "***"),
            ("mail.smtp_password", "", ""),
            ("metrics.token", "hunter2", "***"),
            ("vault.key_file", "/etc/columba/vault.key", "/etc/columba/vault.key"),
            ("billing.stripe.key", "sk_live_1", "***"),
            ("billing.stripe.key", "", ""),
        ] {
            assert_eq!(masked(key, given.into()), Value::from(shown), "{key}");
        }
        let all = masked("cluster.join_secret", serde_json::json!(["one", 2]));
        assert_eq!(all, serde_json::json!(["***", 2]));
        let all = masked("billing.stripe.endpoint_secrets", serde_json::json!(["whsec_1", "whsec_2"]));
        assert_eq!(all, serde_json::json!(["***", "***"]));
    }
}
