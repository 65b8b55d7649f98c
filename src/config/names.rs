//! Names of keys: how they are written in a file and in the environment, and which one somebody may have meant.

use std::collections::BTreeSet;
use std::fmt;

use super::source::Source;

/// What environment variables begin with.
pub const ENV_PREFIX: &str = "COLUMBA";

/// Below this likeness (Jaro-Winkler, 0 to 1) a name is not worth proposing.
const LIKE: f64 = 0.8;

/// A key that does not exist, and what its giver may have meant.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct UnknownKey {
    /// As it was given.
    pub given: String,
    /// The file and line it stands in; none for a variable, whose name says enough.
    pub place: Option<String>,
    /// What to write instead.
    pub hint: Option<String>,
}

impl fmt::Display for UnknownKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "unknown key `{}`", self.given)?;
        if let Some(place) = &self.place {
            write!(f, " ({place})")?;
        }
        self.hint.as_ref().map_or(Ok(()), |hint| write!(f, ", {hint}"))
    }
}

impl UnknownKey {
    /// What to say of `key`, which is not among `known`.
    pub(super) fn new(key: &str, source: &Source, known: &BTreeSet<String>) -> Self {
        let in_environment = matches!(source, Source::Environment(_));
        let shown = |key: &str| if in_environment { variable(key) } else { key.to_owned() };
        let below =
            |parent: &str, name: &str| name.strip_prefix(parent).is_some_and(|rest| rest.starts_with('.'));
        let hint = if known.iter().any(|name| below(key, name)) {
            Some(format!(
                "which is a section: give one of its keys, such as `{}`",
                shown(first_below(key, known))
            ))
        } else if let Some(value) = known.iter().find(|name| below(name, key)) {
            Some(format!("`{}` takes a value and has no keys", shown(value)))
        } else {
            nearest(key, known).map(|near| format!("did you mean `{}`?", shown(near)))
        };
        let given = if let Source::Environment(name) = source { name.clone() } else { key.to_owned() };
        let place = matches!(source, Source::File { .. }).then(|| source.to_string());
        Self { given, place, hint }
    }
}

fn first_below<'a>(section: &str, known: &'a BTreeSet<String>) -> &'a str {
    known.iter().find(|name| name.starts_with(section)).map_or("", String::as_str)
}

/// The key that is most like `key`: as a whole, or in its last part, for somebody who forgot the section.
fn nearest<'a>(key: &str, known: &'a BTreeSet<String>) -> Option<&'a str> {
    let last = |name: &str| name.rsplit('.').next().unwrap_or_default().to_owned();
    let likeness = |name: &str| {
        let whole = strsim::jaro_winkler(key, name);
        // A little less worth than the whole: the same last word stands in many sections.
        whole.max(strsim::jaro_winkler(&last(key), &last(name)) * 0.9)
    };
    let best = known.iter().max_by(|a, b| likeness(a).total_cmp(&likeness(b)))?;
    (likeness(best) > LIKE).then_some(best.as_str())
}

/// `COLUMBA__HTTP__LISTEN` as `http.listen`.
pub fn dotted(variable: &str) -> String {
    variable.trim_start_matches(ENV_PREFIX).trim_start_matches("__").replace("__", ".").to_lowercase()
}

/// `http.listen` as `COLUMBA__HTTP__LISTEN`.
pub fn variable(key: &str) -> String {
    format!("{ENV_PREFIX}__{}", key.replace('.', "__").to_uppercase())
}

/// A variable that looks like a setting and is not read, since it has too few underscores.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Stray {
    /// As it is set.
    pub given: String,
    /// As it should be.
    pub meant: String,
}

impl fmt::Display for Stray {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} is not read; write {} with two underscores", self.given, self.meant)
    }
}

/// The variables among `names` that differ from one of ours in underscores only.
pub(super) fn strays<'a>(names: impl Iterator<Item = &'a String>, known: &BTreeSet<String>) -> Vec<Stray> {
    let bare = |name: &str| name.replace('_', "").to_uppercase();
    let ours: Vec<(String, String)> = known.iter().map(|key| (bare(&variable(key)), variable(key))).collect();
    let mut found: Vec<Stray> = names
        .filter(|name| name.to_uppercase().starts_with(ENV_PREFIX) && !name.starts_with("COLUMBA__"))
        .filter_map(|name| {
            let (_, meant) = ours.iter().find(|(ours, _)| *ours == bare(name))?;
            Some(Stray { given: name.clone(), meant: meant.clone() })
        })
        .collect();
    found.sort_by(|a, b| a.given.cmp(&b.given));
    found
}
