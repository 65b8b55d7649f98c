//! The operator's file: what it sets, and on which line.

use std::collections::BTreeMap;
use std::path::Path;

use toml::de::{DeTable, DeValue};

use super::ConfigError;
use super::source::Source;

/// A file that could be read.
#[derive(Debug)]
pub(super) struct SettingsFile {
    /// Its text.
    pub text: String,
    /// Every key it sets, with the line it stands on. A section without keys counts as a key: nobody writes one to set
    /// nothing.
    pub keys: BTreeMap<String, Source>,
}

impl SettingsFile {
    /// Reads the file at `path`.
    pub fn read(path: &Path) -> Result<Self, ConfigError> {
        let text = std::fs::read_to_string(path)
            .map_err(|error| ConfigError::Unreadable(format!("cannot read {}: {error}", path.display())))?;
        let mut keys = BTreeMap::new();
        let table = DeTable::parse(&text)
            .map_err(|error| ConfigError::Unreadable(format!("{} is no TOML: {error}", path.display())))?;
        let line = |at: usize| text.get(..at).map_or(1, |before| before.matches('\n').count() + 1);
        walk(table.get_ref(), "", &mut |key, at| {
            keys.insert(key, Source::File { path: path.to_owned(), line: line(at) });
        });
        drop(table);
        Ok(Self { text, keys })
    }
}

fn walk(table: &DeTable<'_>, section: &str, found: &mut impl FnMut(String, usize)) {
    for (name, value) in table {
        let key = if section.is_empty() {
            name.get_ref().to_string()
        } else {
            format!("{section}.{}", name.get_ref())
        };
        match value.get_ref() {
            DeValue::Table(inner) if !inner.is_empty() => walk(inner, &key, found),
            _ => found(key, name.span().start),
        }
    }
}
