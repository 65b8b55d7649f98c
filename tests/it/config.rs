//! Defaults, file, environment and flags, in this order; nothing unknown gets in.

use columba::config::{self, Config, ConfigError, Source};

fn load(file: &str, environment: &[(&str, &str)], flags: &[(&str, &str)]) -> Result<Config, ConfigError> {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("columba.toml");
    std::fs::write(&path, file).unwrap();
    let environment = environment.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned()));
    let flags: Vec<_> = flags.iter().map(|(key, value)| (*key, (*value).to_owned())).collect();
    config::load(Some(&path), environment, &flags).map(|loaded| loaded.config).map_err(|error| match error {
        // Where the file lies differs from run to run.
        ConfigError::UnknownKeys(mut unknown) => {
            for key in &mut unknown {
                key.place = key.place.take().map(|place| place.replace(path.to_str().unwrap(), "FILE"));
            }
            ConfigError::UnknownKeys(unknown)
        }
        ConfigError::BadValue { key, given_by: Source::File { line, .. }, problem } => {
            ConfigError::BadValue { key, given_by: Source::File { path: "FILE".into(), line }, problem }
        }
        ConfigError::Unreadable(text) => {
            ConfigError::Unreadable(text.replace(path.to_str().unwrap(), "FILE"))
        }
        other => other,
    })
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
fn lists_in_the_environment_are_separated_by_commas() {
    let environment = [
        ("COLUMBA__HTTP__ALLOWED_ORIGINS", "https://a.example,https://b.example"),
        ("COLUMBA__HTTP__TRUSTED_PROXIES", "10.0.0.0/8,2001:db8::7"),
    ];
    let config = load("", &environment, &[]).unwrap();
    assert_eq!(config.http.allowed_origins, ["https://a.example", "https://b.example"]);
    let trusted: Vec<_> = config.http.trusted_proxies.iter().map(ToString::to_string).collect();
    assert_eq!(trusted, ["10.0.0.0/8", "2001:db8::7"]);
}

#[test]
fn what_cannot_be_used_is_refused_with_its_name_its_place_and_what_is_allowed() {
    type Case = (&'static str, Option<(&'static str, &'static str)>, &'static str);
    let cases: &[Case] = &[
        (
            "[http]\nlisten_on = 'x'",
            None,
            "unknown key `http.listen_on` (FILE:2), did you mean `http.listen`?",
        ),
        ("[htp]\nlisten = 'x'", None, "unknown key `htp.listen` (FILE:2), did you mean `http.listen`?"),
        ("listen = 'x'", None, "unknown key `listen` (FILE:1), did you mean `http.listen`?"),
        (
            "\n\n[server]\nworkers = 3",
            None,
            "unknown key `server.workers` (FILE:4), did you mean `http.workers`?",
        ),
        ("[htpp]", None, "unknown key `htpp` (FILE:1), did you mean `http.public_url`?"),
        ("zzz = 1", None, "unknown key `zzz` (FILE:1)"),
        (
            "http = 1",
            None,
            "unknown key `http` (FILE:1), which is a section: give one of its keys, such as `http.allowed_origins`",
        ),
        (
            "[http.listen]\nport = 1",
            None,
            "unknown key `http.listen.port` (FILE:2), `http.listen` takes a value and has no keys",
        ),
        (
            "[http]\nlistne = 'x'\n[log]\nlevle = 'x'",
            Some(("COLUMBA__HTTP__WROKERS", "2")),
            "unknown key `http.listne` (FILE:2), did you mean `http.listen`?\n\
             unknown key `log.levle` (FILE:4), did you mean `log.level`?\n\
             unknown key `COLUMBA__HTTP__WROKERS`, did you mean `COLUMBA__HTTP__WORKERS`?",
        ),
        (
            "",
            Some(("COLUMBA__HTTP__LISTN", "x")),
            "unknown key `COLUMBA__HTTP__LISTN`, did you mean `COLUMBA__HTTP__LISTEN`?",
        ),
        (
            "",
            Some(("COLUMBA__LISTEN", "x")),
            "unknown key `COLUMBA__LISTEN`, did you mean `COLUMBA__HTTP__LISTEN`?",
        ),
        (
            "[http]\nworkers = 0",
            None,
            "key `http.workers` (FILE:2): invalid value: integer `0`, expected a nonzero usize",
        ),
        (
            "",
            Some(("COLUMBA__HTTP__WORKERS", "0")),
            "key `http.workers` (COLUMBA__HTTP__WORKERS): invalid value: integer `0`, expected a nonzero usize",
        ),
        (
            "[http]\nlisten = 'here'",
            None,
            "key `http.listen` (FILE:2): `here` is no address; give IP:PORT, such as 127.0.0.1:8080",
        ),
        (
            "[http]\nbody_limit = 5",
            None,
            "key `http.body_limit` (FILE:2): 5 is not between 1024 and 16777216 bytes",
        ),
        ("[log]\nformat = 'loud'", None, "key `log.format` (FILE:2): `loud` is none of auto, text, json"),
        (
            "[database]\nurl = 'mysql://me:secret@db/x'",
            None,
            "key `database.url` (FILE:2): `mysql` is not supported, sqlite:// and postgres:// are; leave it \"\" for a \
             file in the data directory",
        ),
        (
            "[sandbox]\nurl = 'https://x'",
            None,
            "key `sandbox.url` (FILE:2): `https://x` is no http:// address; give one, or \"\" for a network in this process",
        ),
    ];
    for (file, environment, expected) in cases {
        let error = load(file, environment.as_slice(), &[]).unwrap_err().to_string();
        assert_eq!(error, *expected, "{file} {environment:?}");
    }
    for (file, words) in [
        ("[http]\nworkers = 'many'", ["http.workers", "FILE:2", "many"]),
        ("[http", ["FILE", "no TOML", "1"]),
    ] {
        let error = load(file, &[], &[]).unwrap_err().to_string();
        assert!(words.iter().all(|word| error.contains(word)), "{error}");
    }
    // A number in the wrong place comes from a flag as well.
    let error = load("", &[], &[("http.listen", "here")]).unwrap_err().to_string();
    assert!(error.starts_with("key `http.listen` (--listen): `here` is no address"), "{error}");
}

#[test]
fn a_missing_file_is_named() {
    let error = config::load(Some(std::path::Path::new("/nowhere/columba.toml")), [], &[]).unwrap_err();
    assert!(error.to_string().contains("/nowhere/columba.toml"), "{error}");
}

#[test]
fn a_bridge_is_pinned_by_its_checksum_and_speaks_to_whatsapp_unless_a_test_server_is_named() {
    let digest = "0".repeat(64);
    let file = |lines: &str| format!("[bridges.native]\npath = '/opt/bridge'\n{lines}");
    let refused = |lines: &str| load(&file(lines), &[], &[]).unwrap_err().to_string();
    for (lines, key) in [
        ("", "`bridges.native.sha256`"),
        ("sha256 = 'abc'", "`bridges.native.sha256`"),
        (&format!("sha256 = '{digest}'\nendpoint = 'http://x'"), "`bridges.native.endpoint`"),
        (&format!("sha256 = '{digest}'\nscript = '/x.mjs'"), "`bridges.native.script_sha256`"),
        (&format!("sha256 = '{digest}'\nversion = ''"), "`bridges.native.version`"),
        ("sessions_per_process = 251", "`bridges.native.sessions_per_process`"),
    ] {
        let error = refused(lines);
        assert!(error.starts_with("key ") && error.contains(key), "{lines}: {error}");
    }
    assert!(
        load(&file(&format!("sha256 = '{digest}'")), &[], &[]).unwrap().bridges.native.endpoint.is_empty()
    );
    let relative = load("[bridges.native]\npath = 'bridge'", &[], &[]).unwrap_err().to_string();
    assert!(relative.contains("absolute"), "{relative}");
    let good = file(&format!("sha256 = '{digest}'\nendpoint = 'ws://127.0.0.1:4000/ws/chat'"));
    assert!(load(&good, &[], &[]).unwrap().bridges.native.is_set());
    assert!(!load("", &[], &[]).unwrap().bridges.native.is_set(), "by default there is none");
}

#[test]
fn what_cannot_be_billed_by_is_refused_with_its_key() {
    let long = "x".repeat(201);
    for (key, value, said) in [
        ("time_zone", "'Europe/Atlantis'".to_owned(), "no time zone"),
        ("tax_rate_bps", "10001".to_owned(), "10001"),
        ("due_days", "366".to_owned(), "366"),
        ("grace_days", "366".to_owned(), "366"),
        ("invoice_prefix", "'2026'".to_owned(), "not end with a digit"),
        ("invoice_prefix", "''".to_owned(), "1 to 16"),
        ("invoice_prefix", "'a b-'".to_owned(), "`a b-`"),
        ("credit_note_prefix", "'INV-'".to_owned(), "what invoices begin with"),
        ("fonts", "['fonts/x.ttf']".to_owned(), "absolute"),
        ("issuer.name", format!("'{long}'"), "201"),
        ("issuer.address", format!("['{long}']"), "201"),
    ] {
        let (section, name) =
            key.split_once('.').map_or(("billing", key), |(_, name)| ("billing.issuer", name));
        match load(&format!("[{section}]\n{name} = {value}\n"), &[], &[]) {
            Err(ConfigError::BadValue { key: named, problem, .. }) => {
                assert_eq!(named, format!("billing.{key}"), "{problem}");
                assert!(problem.contains(said), "{key}: {problem}");
            }
            other => panic!("{key} = {value}: {other:?}"),
        }
    }
    let zone = load("[billing]\ntime_zone = 'Asia/Kolkata'\n", &[], &[]).unwrap().billing.zone();
    assert_eq!(zone, chrono_tz::Tz::Asia__Kolkata);
}
