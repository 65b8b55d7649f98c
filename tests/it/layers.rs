//! A `use` points down only, scopes are built where they may be, and no file has a name that says nothing.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

/// Module, then the modules it may use besides itself.
const MAY_USE: &[(&str, &[&str])] = &[
    ("failpoint", &[]),
    ("domain", &[]),
    ("meters", &["domain"]),
    ("history", &["domain"]),
    ("config", &["domain"]),
    ("ports", &["domain", "failpoint"]),
    ("billing", &["domain", "ports"]),
    ("tenancy", &["domain", "ports"]),
    ("outbound", &["domain", "failpoint", "meters", "ports", "billing"]),
    ("media", &["domain", "ports"]),
    ("webhooks", &["domain", "ports"]),
    ("overview", &["domain", "meters", "ports"]),
    ("egress", &["domain", "ports", "config"]),
    ("actors", &["domain", "failpoint", "meters", "ports", "outbound", "media", "webhooks", "config"]),
    ("payments", &["domain", "ports", "config"]),
    ("storage", &["domain", "failpoint", "meters", "ports", "config", "history"]),
    ("transport", &["domain", "meters", "ports", "config"]),
    (
        "http",
        &[
            "domain", "meters", "ports", "outbound", "media", "webhooks", "overview", "tenancy", "billing",
            "actors", "config",
        ],
    ),
    ("cli", &["app", "config", "domain", "failpoint", "ports"]),
];

/// What only some modules may name at all.
const CONFINED: &[(&str, &[&str])] = &[
    ("actix::", &["actors", "app"]),
    ("sea_orm", &["storage", "app"]),
    ("sqlx", &["storage", "app"]),
    ("actix_web", &["http", "transport", "app"]),
    ("actix_ws", &["http", "actors"]),
    ("TenantScope::authenticated", &["domain", "tenancy", "actors"]),
];

const EMPTY_NAMES: &[&str] = &["utils", "util", "helpers", "helper", "common", "types", "manager", "misc"];

fn sources() -> Vec<(PathBuf, String)> {
    let mut found = vec![];
    let mut folders = vec![Path::new(env!("CARGO_MANIFEST_DIR")).join("src")];
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                folders.push(path);
            } else if path.extension().is_some_and(|ending| ending == "rs") {
                let text = fs::read_to_string(&path).unwrap();
                found.push((path, text));
            }
        }
    }
    found
}

/// The top-level module a file belongs to.
fn module(path: &Path) -> String {
    let inside = path.strip_prefix(Path::new(env!("CARGO_MANIFEST_DIR")).join("src")).unwrap();
    let first = inside.components().next().unwrap().as_os_str().to_str().unwrap();
    first.trim_end_matches(".rs").to_owned()
}

/// Lines of code: comments do not use anything, they link.
fn lines(text: &str) -> impl Iterator<Item = (usize, &str)> {
    let code = |(number, line): (usize, &'_ str)| !line.trim_start().starts_with("//") && number > 0;
    (1..).zip(text.lines()).filter(move |&(number, line)| code((number, line)))
}

/// The modules that a line reaches by `crate::…`, also within braces.
fn reached(line: &str) -> Vec<String> {
    let mut found = vec![];
    for rest in line.split("crate::").skip(1) {
        let inner = rest.strip_prefix('{').and_then(|group| group.split('}').next());
        match inner {
            Some(group) => found.extend(group.split(',').map(|part| part.trim().to_owned())),
            None => found.push(rest.to_owned()),
        }
    }
    let name =
        |path: String| path.chars().take_while(|c| c.is_alphanumeric() || *c == '_').collect::<String>();
    found.into_iter().map(name).filter(|name| !name.is_empty()).collect()
}

#[test]
fn a_use_points_down_only() {
    let rules: BTreeMap<_, _> = MAY_USE.iter().copied().collect();
    let mut wrong = vec![];
    for (path, text) in sources() {
        let own = module(&path);
        let Some(allowed) = rules.get(own.as_str()) else { continue };
        for (number, line) in lines(&text) {
            for used in reached(line) {
                let is_module = rules.contains_key(used.as_str()) || used == "app";
                if is_module && used != own && !allowed.contains(&used.as_str()) {
                    wrong.push(format!("{}:{number}: {own} uses {used}", path.display()));
                }
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn every_module_has_its_row() {
    let rows: Vec<&str> = MAY_USE.iter().map(|(name, _)| *name).collect();
    for (path, _) in sources() {
        let own = module(&path);
        let is_root = ["main", "bin", "lib", "app"].contains(&own.as_str());
        assert!(is_root || rows.contains(&own.as_str()), "{own} has no row: {}", path.display());
    }
}

#[test]
fn machines_and_rules_know_no_runtime_and_no_store() {
    let mut wrong = vec![];
    for (path, text) in sources() {
        let own = module(&path);
        for (number, line) in lines(&text) {
            for (word, allowed) in CONFINED {
                if line.contains(word) && !allowed.contains(&own.as_str()) {
                    wrong.push(format!("{}:{number}: {own} names {word}", path.display()));
                }
            }
            let is_pure = path.to_string_lossy().contains("machine")
                || [
                    "agenda.rs",
                    "cadence.rs",
                    "dispatch.rs",
                    "health.rs",
                    "reconnect.rs",
                    "table.rs",
                    "ring.rs",
                    "queue.rs",
                ]
                .iter()
                .any(|name| path.ends_with(name));
            if is_pure
                && own == "actors"
                && (line.contains("actix::") || line.contains(".await") || line.contains("tokio::"))
            {
                wrong.push(format!("{}:{number}: a machine that waits", path.display()));
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn file_names_say_what_lives_there() {
    for (path, _) in sources() {
        let stem = path.file_stem().unwrap().to_str().unwrap();
        let folder = path.parent().unwrap().file_name().unwrap().to_str().unwrap();
        for name in EMPTY_NAMES {
            assert!(stem != *name && folder != *name, "{} says nothing", path.display());
        }
    }
}

#[test]
fn nothing_outside_tests_unwraps_and_no_file_holds_two_reasons_to_change() {
    for (path, text) in sources() {
        let code = text.split("#[cfg(test)]").next().unwrap();
        for (number, line) in lines(code) {
            assert!(!line.contains(".unwrap()"), "{}:{number}: {line}", path.display());
        }
        let length = text.lines().count();
        assert!(length <= 600, "{} has {length} lines", path.display());
    }
}
