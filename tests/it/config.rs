//! Defaults, file, environment and flags, in this order; nothing unknown gets in.

use columba::config::{self, Config, ConfigError};

fn load(file: &str, environment: &[(&str, &str)], flags: &[(&str, &str)]) -> Result<Config, ConfigError> {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("columba.toml");
    std::fs::write(&path, file).unwrap();
    let environment = environment.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned()));
    let flags: Vec<_> = flags.iter().map(|(key, value)| (*key, (*value).to_owned())).collect();
    config::load(Some(&path), environment, &flags).map(|loaded| loaded.config)
}

#[test]
fn the_embedded_defaults_are_what_the_types_say_by_default() {
    let config = load("", &[], &[]).unwrap();
    assert_eq!(config.http, columba::config::http::HttpOptions::default());
}

#[test]
fn a_file_wins_over_defaults_the_environment_over_the_file_and_a_flag_over_all() {
    let file = "[http]\nlisten = '127.0.0.1:1'\nworkers = 3\nbody_limit = 4096\n";
    let environment =
        [("COLUMBA__HTTP__LISTEN", "127.0.0.1:2"), ("COLUMBA__HTTP__WORKERS", "5"), ("PATH", "/bin")];
    let config = load(file, &environment, &[("http.listen", "127.0.0.1:3")]).unwrap();
    assert_eq!(config.http.listen, "127.0.0.1:3");
    assert_eq!(config.http.workers.get(), 5);
    assert_eq!(config.http.body_limit, 4096);
}

#[test]
fn origins_in_the_environment_are_separated_by_commas() {
    let environment = [("COLUMBA__HTTP__ALLOWED_ORIGINS", "https://a.example,https://b.example")];
    let config = load("", &environment, &[]).unwrap();
    assert_eq!(config.http.allowed_origins, ["https://a.example", "https://b.example"]);
}

#[test]
fn what_cannot_be_used_is_refused_with_its_name_and_what_is_allowed() {
    for (file, environment, expected) in [
        ("[http]\nlisten_on = 'x'", None, "unknown key `http.listen_on`, did you mean `http.listen`?"),
        ("[htp]\nlisten = 'x'", None, "unknown key `htp.listen`"),
        (
            "",
            Some(("COLUMBA__HTTP__LISTN", "x")),
            "unknown key `COLUMBA__HTTP__LISTN`, did you mean `COLUMBA__HTTP__LISTEN`?",
        ),
        ("[http]\nworkers = 0", None, "key `http.workers`"),
        ("[http]\nworkers = 'many'", None, "key `http.workers`"),
        ("[http]\nlisten = 'here'", None, "key `http.listen`: `here` is no address"),
        ("[http]\nbody_limit = 5", None, "key `http.body_limit`: 5 is not between"),
        ("[log]\nformat = 'loud'", None, "key `log.format`"),
        ("[database]\nurl = 'postgres://x'", None, "key `database.url`"),
        ("[sandbox]\nurl = 'https://x'", None, "key `sandbox.url`"),
        ("[http", None, "is no TOML"),
    ] {
        let error = load(file, environment.as_slice(), &[]).unwrap_err().to_string();
        assert!(error.contains(expected), "{file} {environment:?} gave: {error}");
    }
}

#[test]
fn a_missing_file_is_named() {
    let error = config::load(Some(std::path::Path::new("/nowhere/columba.toml")), [], &[]).unwrap_err();
    assert!(error.to_string().contains("/nowhere/columba.toml"), "{error}");
}
