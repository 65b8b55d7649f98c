//! What a fact about an installation means, and what to do about it. No IO.

use std::path::Path;
use std::time::Duration;

use serde::Serialize;

use crate::app::inspection::{Database, Holder, KeyFile, Place, PostgresSurvey, Standing, Survey};
use crate::domain::time::WallTime;

/// Below this much free space something should be done soon, and below this much nothing can be promised.
const SPACE_LOW: u64 = 1 << 30;
const SPACE_OUT: u64 = 64 << 20;
/// No clock that is right shows less: the program is younger (2026-11-22).
const EARLIEST: WallTime = WallTime(1_795_305_600_000);
/// Nor more than a working life later.
const LATEST: WallTime = WallTime(EARLIEST.0 + 40 * 365 * 86_400_000);
/// By how much rows may be ahead of the clock without anybody having to ask why, in milliseconds.
const AHEAD_MS: i64 = 2_000;

/// An answer of Redis or PostgreSQL that takes longer is felt.
const SLOW: Duration = Duration::from_millis(5);
/// By how much the database's clock may differ, in milliseconds: its time is in no row, but an operator compares logs.
const APART_MS: i64 = 2_000;

/// How a check ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Level {
    /// As it should be.
    Ok,
    /// It works, and somebody should know.
    Warn,
    /// It does not work, or will not.
    Fail,
}

impl Level {
    /// As it is shown.
    pub fn word(self) -> &'static str {
        match self {
            Self::Ok => "ok",
            Self::Warn => "warn",
            Self::Fail => "fail",
        }
    }
}

/// One line of the report.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Check {
    /// What was looked at.
    pub name: &'static str,
    /// How it is.
    pub level: Level,
    /// What was found.
    pub detail: String,
    /// What to do.
    pub advice: Option<String>,
}

impl Check {
    /// As it should be.
    pub fn ok(name: &'static str, detail: impl Into<String>) -> Self {
        Self { name, level: Level::Ok, detail: detail.into(), advice: None }
    }

    /// It works, and somebody should know.
    pub fn warn(name: &'static str, detail: impl Into<String>, advice: impl Into<String>) -> Self {
        Self { name, level: Level::Warn, detail: detail.into(), advice: Some(advice.into()) }
    }

    /// It does not work.
    pub fn fail(name: &'static str, detail: impl Into<String>, advice: impl Into<String>) -> Self {
        Self { name, level: Level::Fail, detail: detail.into(), advice: Some(advice.into()) }
    }
}

/// The data directory.
pub fn data_directory(path: &Path, found: Option<Place>) -> Check {
    const NAME: &str = "data directory";
    let shown = path.display();
    match found {
        None => Check::warn(
            NAME,
            format!("{shown} does not exist"),
            "`columba serve` makes it at its first start; if it should be there, point --data at it",
        ),
        Some(place) if !place.is_dir => {
            Check::fail(NAME, format!("{shown} is no directory"), "give another with --data")
        }
        Some(place) if !place.writable => Check::fail(
            NAME,
            format!("{shown} cannot be written"),
            "run as its owner, or give it to whoever runs the server: chown",
        ),
        Some(place) if place.mode & 0o077 != 0 => Check::warn(
            NAME,
            format!("{shown} is open to others (mode {:o})", place.mode),
            format!("chmod 700 {shown}"),
        ),
        Some(place) if !place.is_ours => Check::warn(
            NAME,
            format!("{shown} belongs to another user"),
            "run this as the user who runs the server, to see what the server sees",
        ),
        Some(_) => Check::ok(NAME, format!("{shown}, for its owner only")),
    }
}

/// A file that holds a secret. `absent`: what it means when there is none.
pub fn secret_file(name: &'static str, path: &Path, found: Option<Place>, absent: &str) -> Check {
    let shown = path.display();
    match found {
        None => Check::ok(name, format!("{shown} does not exist: {absent}")),
        Some(place) if place.mode & 0o077 != 0 => Check::fail(
            name,
            format!("{shown} can be read by others (mode {:o})", place.mode),
            format!("chmod 600 {shown}, and replace what is in it: somebody may have it"),
        ),
        Some(_) => Check::ok(name, format!("{shown}, for its owner only")),
    }
}

/// Room on the disk where the data lies.
pub fn space(free: Option<u64>) -> Check {
    const NAME: &str = "disk space";
    let Some(free) = free else {
        return Check::warn(NAME, "the file system does not say", "df tells how much is left");
    };
    let shown = format!("{} MiB are free", free >> 20);
    match free {
        0..SPACE_OUT => Check::fail(NAME, shown, "make room: without it nothing can be accepted"),
        SPACE_OUT..SPACE_LOW => {
            Check::warn(NAME, shown, "make room soon: without it nothing can be accepted")
        }
        _ => Check::ok(NAME, shown),
    }
}

/// The database's schema.
pub fn schema(database: &Database, found: Option<Result<&Standing, &str>>) -> Check {
    const NAME: &str = "database";
    let shown = database;
    let standing = match found {
        None => return Check::ok(NAME, format!("{shown} does not exist: the first start makes it")),
        Some(Err(why)) => {
            return Check::fail(
                NAME,
                format!("{shown} does not open: {why}"),
                match database {
                    Database::File(_) => {
                        "if it is no SQLite file, put the right one there; if it is damaged, go back to a copy"
                    }
                    Database::Server(_) => {
                        "see that PostgreSQL runs there and lets the user of database.url in: psql with the same address"
                    }
                },
            );
        }
        Some(Ok(standing)) => standing,
    };
    let strange: Vec<&str> =
        standing.steps.iter().filter(|step| !step.known).map(|step| step.name.as_str()).collect();
    let lacking = standing.steps.iter().filter(|step| !step.taken).count();
    let version =
        standing.steps.iter().rev().find(|step| step.taken).map_or("empty", |step| step.name.as_str());
    match (strange.as_slice(), lacking) {
        ([first, ..], _) => Check::fail(
            NAME,
            format!("{shown} has taken {first}, which this program does not know"),
            "run the newer program that made it",
        ),
        ([], 0) => Check::ok(NAME, format!("{shown} opens, version {version}")),
        ([], lacking) => Check::warn(
            NAME,
            format!("{shown} opens, version {version}, and lacks {lacking} of the schema's steps"),
            "the next start of `columba serve` takes them, or `columba migrate` without serving",
        ),
    }
}

/// The server of a database in PostgreSQL.
pub fn postgres(survey: &PostgresSurvey) -> Check {
    const NAME: &str = "postgresql";
    let PostgresSurvey { version, unsafe_settings, lacking_roles, ahead_ms, latency, .. } = survey;
    let shown = format!("version {}.{}", version / 10_000, version % 10_000);
    if !survey.is_new_enough() {
        return Check::fail(NAME, shown, "PostgreSQL 15 or newer is needed");
    }
    if !unsafe_settings.is_empty() {
        return Check::fail(
            NAME,
            format!(
                "{shown}, with {unsafe_settings} off: a crash of its machine loses what was answered 202"
            ),
            "turn it on in postgresql.conf and restart PostgreSQL",
        );
    }
    if !lacking_roles.is_empty() {
        return Check::warn(
            NAME,
            format!("{shown}; its user has no part in {lacking_roles}"),
            "the first start makes these roles if the user may (CREATEROLE); otherwise see docs/POSTGRES.md",
        );
    }
    if survey.is_above {
        return Check::warn(
            NAME,
            format!("{shown}; the user of database.url is a superuser or bypasses row-level security"),
            "give the server a user of its own: see docs/POSTGRES.md",
        );
    }
    if !survey.is_encrypted && !survey.is_local {
        return Check::warn(
            NAME,
            format!("{shown}; what is said to it crosses the network in the clear"),
            "add ?sslmode=verify-full to database.url",
        );
    }
    if ahead_ms.abs() > APART_MS {
        return Check::warn(
            NAME,
            format!("{shown}; its clock and ours are {:.1} s apart", *ahead_ms as f64 / 1_000.0),
            "set both: timedatectl set-ntp true",
        );
    }
    let detail = format!("{shown}, {:.1} ms an answer", latency.as_secs_f64() * 1_000.0);
    if *latency > SLOW {
        return Check::warn(NAME, detail, "every accept waits for it: bring it nearer");
    }
    Check::ok(NAME, detail)
}

/// The clock, against what is possible and what was written before.
pub fn clock(now: WallTime, newest: Option<WallTime>, has_boot_id: bool) -> Check {
    const NAME: &str = "clock";
    let shown = now.utc().format("%Y-%m-%d %H:%M:%S UTC").to_string();
    let behind = newest.map_or(0, |newest| newest.0 - now.0);
    if now < EARLIEST || now > LATEST {
        return Check::fail(NAME, format!("it shows {shown}"), "set it: timedatectl set-ntp true");
    }
    if behind > AHEAD_MS {
        let detail = format!("it shows {shown}, and the newest event was written {} s later", behind / 1_000);
        return Check::warn(
            NAME,
            detail,
            "it was set back: rate windows count as full for a minute; keep it in step with timedatectl set-ntp true",
        );
    }
    if !has_boot_id {
        let advice = "mount /proc for the server: it tells one boot of the machine from another by it";
        return Check::warn(NAME, format!("{shown}, and the system names no boot"), advice);
    }
    Check::ok(NAME, shown)
}

/// Redis: whether it answers, takes writes, keeps what it was given, and how fast.
pub fn redis(found: Result<Survey, String>) -> Check {
    const NAME: &str = "redis";
    let survey = match found {
        Ok(survey) => survey,
        Err(why) => {
            return Check::warn(
                NAME,
                format!("it cannot be used: {why}"),
                "the server runs without it, and what processes share it counts in the database; see redis.url",
            );
        }
    };
    if let Some(objection) = survey.objection() {
        return Check::fail(
            NAME,
            objection,
            "the server does not start with it; change it, or set redis.url to \"\"",
        );
    }
    let Survey { version, policy, appends, latency } = survey;
    let took = latency.unwrap_or_default();
    let kept = if appends { "kept in a file" } else { "kept in memory only, which suffices" };
    let detail =
        format!("version {version}, {policy}, {kept}, {:.1} ms an answer", took.as_secs_f64() * 1_000.0);
    if took > SLOW {
        return Check::warn(
            NAME,
            detail,
            "each message with a sum over sessions waits for it: bring it nearer",
        );
    }
    Check::ok(NAME, detail)
}

/// The key-encryption key: whether it fits, and whether it lies apart from what it seals.
pub fn vault_key(path: &Path, data: &Path, found: &Result<KeyFile, String>, place: Option<Place>) -> Check {
    const NAME: &str = "vault key";
    let file = match found {
        Err(why) => {
            return Check::fail(NAME, why.clone(), "sessions cannot open their credentials without it");
        }
        Ok(file) => *file,
    };
    let rights = secret_file(NAME, path, place, "the first start makes it");
    if rights.level == Level::Fail {
        return rights;
    }
    if path.starts_with(data) {
        let verb = if file == KeyFile::Absent { "will lie" } else { "lies" };
        return Check::warn(
            NAME,
            format!("{} {verb} in the data directory: whoever copies that has every account", path.display()),
            "move it elsewhere, set vault.key_file to the new path, and keep it out of backups of the data",
        );
    }
    rights
}

/// What answers at the address where the server listens.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Listener {
    /// Nobody is there.
    Nobody,
    /// The port is chosen at start.
    Any,
    /// Nobody could listen there; why.
    Impossible(String),
    /// A columba answers; whether it accepts requests.
    Columba {
        /// Whether it accepts requests.
        ready: bool,
    },
    /// Somebody is there who is no columba.
    Stranger,
}

/// The server, as its lock and its address tell of it.
pub fn server(address: &str, listener: &Listener, holder: Holder) -> Check {
    const NAME: &str = "server";
    let held = match holder {
        Holder::Nobody => None,
        Holder::Somebody(Some(pid)) => Some(format!("process {pid} works on the data directory")),
        Holder::Somebody(None) => Some("a process works on the data directory".to_owned()),
    };
    match (listener, held) {
        (Listener::Columba { ready: true }, Some(held)) => {
            Check::ok(NAME, format!("{held} and answers at {address}"))
        }
        (Listener::Columba { ready: false }, _) => Check::warn(
            NAME,
            format!("a columba at {address} does not accept requests"),
            "it may be starting or draining; GET /readyz?verbose says which check does not pass",
        ),
        (Listener::Columba { ready: true }, None) => Check::warn(
            NAME,
            format!("a columba answers at {address}, and nobody works on this data directory"),
            "it serves other data, or runs on another machine: see --data and --listen",
        ),
        (Listener::Impossible(why), Some(held)) => Check::warn(
            NAME,
            format!("{held}, and nobody could listen at {address}: {why}"),
            "see http.listen",
        ),
        (Listener::Impossible(why), None) => Check::fail(
            NAME,
            format!("nobody can listen at {address}: {why}"),
            "give an address of this machine, and a port above 1023, with --listen or http.listen",
        ),
        (Listener::Stranger, held) => Check::fail(
            NAME,
            format!(
                "{address} is taken by a program that is no columba{}",
                held.map_or(String::new(), |held| format!("; {held}"))
            ),
            "end it (ss -ltnp shows it), or give another address with --listen or http.listen",
        ),
        (Listener::Nobody | Listener::Any, None) => {
            Check::ok(NAME, format!("does not run; {address} is free for it"))
        }
        (Listener::Nobody | Listener::Any, Some(held)) => Check::warn(
            NAME,
            format!("{held}, and nobody answers at {address}"),
            "it listens elsewhere, or is starting: give doctor the same --config and --listen as serve",
        ),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::app::inspection::Step;

    const GOOD: Place = Place { is_dir: true, mode: 0o700, is_ours: true, writable: true };
    const NOW: WallTime = WallTime(EARLIEST.0 + 1);

    fn level(check: Check) -> Level {
        assert_eq!(
            check.advice.is_none(),
            check.level == Level::Ok,
            "advice exactly when it is needed: {check:?}"
        );
        check.level
    }

    #[test]
    fn what_is_wrong_with_files_is_told_from_what_is_careless() {
        let path = Path::new("/srv/data");
        for (found, expected) in [
            (Some(GOOD), Level::Ok),
            (None, Level::Warn),
            (Some(Place { mode: 0o755, ..GOOD }), Level::Warn),
            (Some(Place { is_ours: false, ..GOOD }), Level::Warn),
            (Some(Place { writable: false, ..GOOD }), Level::Fail),
            (Some(Place { is_dir: false, ..GOOD }), Level::Fail),
        ] {
            assert_eq!(level(data_directory(path, found)), expected, "{found:?}");
        }
        let file = |mode| Some(Place { is_dir: false, mode, ..GOOD });
        for (found, expected) in [
            (file(0o600), Level::Ok),
            (file(0o640), Level::Fail),
            (file(0o604), Level::Fail),
            (None, Level::Ok),
        ] {
            assert_eq!(level(secret_file("operator token", path, found, "soon")), expected, "{found:?}");
        }
        for (file_is, at, mode, expected) in [
            (Ok(KeyFile::Good), "/etc/vault.key", 0o600, Level::Ok),
            (Ok(KeyFile::Good), "/srv/data/vault.key", 0o600, Level::Warn),
            (Ok(KeyFile::Absent), "/srv/data/vault.key", 0o600, Level::Warn),
            (Ok(KeyFile::Good), "/etc/vault.key", 0o644, Level::Fail),
            (Err("wrong key file".to_owned()), "/etc/vault.key", 0o600, Level::Fail),
        ] {
            let place = file(mode).filter(|_| file_is != Ok(KeyFile::Absent));
            assert_eq!(level(vault_key(Path::new(at), path, &file_is, place)), expected, "{file_is:?} {at}");
        }
    }

    #[test]
    fn room_and_clock_are_judged_by_numbers() {
        for (free, expected) in [
            (Some(SPACE_LOW), Level::Ok),
            (Some(SPACE_LOW - 1), Level::Warn),
            (Some(SPACE_OUT - 1), Level::Fail),
            (None, Level::Warn),
        ] {
            assert_eq!(level(space(free)), expected, "{free:?}");
        }
        let later = |ms| Some(WallTime(NOW.0 + ms));
        for (now, newest, boot, expected) in [
            (NOW, None, true, Level::Ok),
            (NOW, later(-5_000), true, Level::Ok),
            (NOW, later(AHEAD_MS), true, Level::Ok),
            (NOW, later(AHEAD_MS + 1), true, Level::Warn),
            (NOW, None, false, Level::Warn),
            (WallTime(0), None, true, Level::Fail),
            (WallTime(LATEST.0 + 1), None, true, Level::Fail),
        ] {
            assert_eq!(level(clock(now, newest, boot)), expected, "{now:?} {newest:?}");
        }
    }

    #[test]
    fn a_schema_may_lack_steps_and_may_not_have_strange_ones() {
        let step = |name: &str, taken, known| Step { name: name.to_owned(), taken, known };
        let database = &Database::File("/srv/data/columba.db".into());
        for (steps, expected) in [
            (vec![step("m1", true, true), step("m2", true, true)], Level::Ok),
            (vec![step("m1", true, true), step("m2", false, true)], Level::Warn),
            (vec![step("m1", true, true), step("m9", true, false)], Level::Fail),
        ] {
            assert_eq!(level(schema(database, Some(Ok(&Standing { steps, newest: None })))), expected);
        }
        assert_eq!(level(schema(database, None)), Level::Ok);
        assert_eq!(level(schema(database, Some(Err("file is not a database")))), Level::Fail);
    }

    #[test]
    fn a_postgresql_is_judged_by_the_worst_that_is_found() {
        let good = PostgresSurvey {
            version: 150_018,
            unsafe_settings: String::new(),
            is_above: false,
            lacking_roles: String::new(),
            is_encrypted: false,
            is_local: true,
            ahead_ms: -3,
            latency: Duration::from_micros(200),
        };
        let say = |change: fn(&mut PostgresSurvey)| {
            let mut survey = good.clone();
            change(&mut survey);
            level(postgres(&survey))
        };
        for (change, expected) in [
            ((|_| ()) as fn(&mut PostgresSurvey), Level::Ok),
            (|survey| survey.version = 140_011, Level::Fail),
            (|survey| survey.unsafe_settings = "fsync".to_owned(), Level::Fail),
            (|survey| survey.lacking_roles = "columba_tenant".to_owned(), Level::Warn),
            (|survey| survey.is_above = true, Level::Warn),
            (|survey| survey.is_local = false, Level::Warn),
            (|survey| (survey.is_local, survey.is_encrypted) = (false, true), Level::Ok),
            (|survey| survey.ahead_ms = -APART_MS - 1, Level::Warn),
            (|survey| survey.latency = 2 * SLOW, Level::Warn),
        ] {
            assert_eq!(say(change), expected);
        }
    }

    #[test]
    fn lock_and_address_together_tell_how_the_server_is() {
        let ready = Listener::Columba { ready: true };
        let us = Holder::Somebody(Some(7));
        for (listener, holder, expected) in [
            (ready.clone(), us, Level::Ok),
            (ready, Holder::Nobody, Level::Warn),
            (Listener::Columba { ready: false }, us, Level::Warn),
            (Listener::Nobody, Holder::Nobody, Level::Ok),
            (Listener::Any, Holder::Nobody, Level::Ok),
            (Listener::Nobody, us, Level::Warn),
            (Listener::Stranger, Holder::Nobody, Level::Fail),
            (Listener::Stranger, us, Level::Fail),
            (Listener::Impossible("no such address".to_owned()), Holder::Nobody, Level::Fail),
            (Listener::Impossible("no such address".to_owned()), us, Level::Warn),
        ] {
            assert_eq!(
                level(server("127.0.0.1:8080", &listener, holder)),
                expected,
                "{listener:?} {holder:?}"
            );
        }
    }
}
