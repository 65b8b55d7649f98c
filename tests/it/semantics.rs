//! `docs/RUNTIME-SEMANTICS.md` promises nothing that no test holds.

use std::collections::HashSet;
use std::fs;
use std::path::{Path, PathBuf};

fn read(path: &Path) -> String {
    fs::read_to_string(path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

/// Every Rust file below a folder.
fn sources(folder: PathBuf) -> Vec<PathBuf> {
    let (mut found, mut folders) = (vec![], vec![folder]);
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            match path.is_dir() {
                true => folders.push(path),
                false if path.extension().is_some_and(|ending| ending == "rs") => found.push(path),
                false => {}
            }
        }
    }
    found
}

/// What tests take that a macro makes of functions.
const TAKEN_UP: [&str; 2] = ["(fixture: Fixture)", "(home: Home)"];

/// Names of functions that are tests: marked as one, taken up by `contract!` or `on_both_databases!`, or within
/// `proptest!`.
fn tests() -> HashSet<String> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let files = ["tests", "src"].into_iter().flat_map(|folder| sources(root.join(folder)));
    let mut names = HashSet::new();
    for text in files.map(|path| read(&path)) {
        let mut marked = false;
        for line in text.lines().map(str::trim) {
            let name = line
                .trim_start_matches("async ")
                .strip_prefix("fn ")
                .and_then(|rest| rest.split(['(', '<']).next());
            match name {
                Some(name) if marked || TAKEN_UP.iter().any(|what| line.contains(what)) => {
                    names.insert(name.to_owned());
                }
                _ => {}
            }
            marked = line.starts_with("#[") && (marked || line.contains("test"));
        }
    }
    names
}

#[test]
fn every_promise_names_a_test_that_exists() {
    let text = read(&Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/RUNTIME-SEMANTICS.md"));
    let known = tests();
    let rows: Vec<&str> =
        text.lines().filter(|line| line.starts_with("| ") && !line.starts_with("| promise")).collect();
    assert!(rows.len() > 40, "{} promises", rows.len());
    for row in rows {
        let named =
            row.trim_end_matches(" |").rsplit_once("| `").and_then(|(_, name)| name.strip_suffix('`'));
        let named = named.unwrap_or_else(|| panic!("names no test: {row}"));
        assert!(known.contains(named), "there is no test {named}: {row}");
    }
}
