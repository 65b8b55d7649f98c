//! PostgreSQL and Redis of a bench's own, as their packages come: durable, on free ports, in the bench's folder.

use std::fs;
use std::net::TcpListener;
use std::os::unix::fs::chown;
use std::os::unix::process::CommandExt as _;
use std::path::{Path, PathBuf};
use std::process::Command;

use super::process::Process;

/// Where a server under measurement keeps what it knows.
pub struct Parts {
    /// Settings of the server that lead there.
    pub settings: Vec<(&'static str, String)>,
    /// The processes whose CPU counts beside the server's, by name.
    pub processes: Vec<(&'static str, Process)>,
}

/// What PostgreSQL has been given to write, in all.
#[derive(Clone, Copy)]
pub struct Written {
    /// Rows inserted, changed and deleted.
    pub rows: f64,
    /// Transactions, reading ones among them.
    pub commits: f64,
    /// Bytes of its log.
    pub log_bytes: f64,
}

impl Parts {
    /// What its PostgreSQL has been given to write.
    pub fn written(&self) -> Written {
        let (_, url) =
            self.settings.iter().find(|(name, _)| name.ends_with("DATABASE__URL")).expect("it has one");
        let text = "SELECT tup_inserted + tup_updated + tup_deleted, xact_commit, wal_bytes
            FROM pg_stat_database, pg_stat_wal WHERE datname = current_database()";
        let said = Command::new("psql").args([url, "-AtF", " ", "-c", text]).output().expect("psql");
        let said = String::from_utf8(said.stdout).expect("numbers");
        let numbers: Vec<f64> = said.split_whitespace().map(|word| word.parse().expect("a number")).collect();
        Written { rows: numbers[0], commits: numbers[1], log_bytes: numbers[2] }
    }

    /// In its folder and its memory.
    pub fn embedded() -> Self {
        Self { settings: vec![], processes: vec![] }
    }

    /// In PostgreSQL and Redis of its own, which keep theirs in `folder`.
    pub fn production(folder: &Path) -> Self {
        let (database, url) = postgres(folder);
        let (redis, address) = redis(folder);
        let settings =
            vec![("COLUMBA__DATABASE__URL", url), ("COLUMBA__REDIS__URL", format!("redis://{address}"))];
        Self { settings, processes: vec![("PostgreSQL", database), ("redis-server", redis)] }
    }

    /// The settings as they are given to a server.
    pub fn given(&self) -> Vec<(&str, &str)> {
        self.settings.iter().map(|(name, value)| (*name, value.as_str())).collect()
    }

    /// Everything whose CPU counts, the server first.
    pub fn counted<'a>(&'a self, server: &'a Process) -> Vec<(&'a str, &'a Process)> {
        let parts = self.processes.iter().map(|(name, process)| (*name, process));
        std::iter::once(("columba", server)).chain(parts).collect()
    }
}

/// A free port of this machine.
pub fn free_port() -> u16 {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
    listener.local_addr().expect("an address").port()
}

/// A redis-server that appends to a file in `folder` and syncs it every second, and where it is.
pub fn redis(folder: &Path) -> (Process, String) {
    let store = folder.join("redis");
    fs::create_dir(&store).expect("a folder");
    let port = free_port().to_string();
    let mut command = Command::new("redis-server");
    command.args(["--port", &port, "--bind", "127.0.0.1", "--save", "", "--appendonly", "yes"]);
    command.args(["--appendfsync", "everysec", "--maxmemory-policy", "noeviction", "--dir"]).arg(&store);
    let (process, _) = Process::start(&mut command, "Ready to accept connections", &folder.join("redis.log"));
    (process, format!("127.0.0.1:{port}"))
}

/// A PostgreSQL in `folder` that waits for its disk, and the address of an empty database there.
pub fn postgres(folder: &Path) -> (Process, String) {
    let programs = newest("/usr/lib/postgresql").join("bin");
    let base = folder.join("postgres");
    fs::create_dir(&base).expect("a folder");
    // It refuses to run as root, so it runs as the user its package made; that one has to get here.
    let user = rustix::process::geteuid().is_root().then(|| user_of("postgres"));
    if let Some((user, group)) = user {
        chown(&base, Some(user), Some(group)).expect("root may");
        let open: fs::Permissions = std::os::unix::fs::PermissionsExt::from_mode(0o755);
        fs::set_permissions(folder, open).expect("our folder");
    }
    let run = |program: &str| {
        let mut command = Command::new(programs.join(program));
        if let Some((user, group)) = user {
            command.uid(user).gid(group);
        }
        command.current_dir(&base);
        command
    };
    let data = base.join("data");
    let made = run("initdb")
        .args(["--username=postgres", "--auth=trust", "--encoding=UTF8", "--locale=C"])
        .arg("--pgdata")
        .arg(&data)
        .output();
    let made = made.expect("initdb of Debian's package postgresql");
    assert!(made.status.success(), "{}", String::from_utf8_lossy(&made.stderr));
    let port = free_port().to_string();
    // What it says goes to standard error.
    let mut command = Command::new("sh");
    if let Some((user, group)) = user {
        command.uid(user).gid(group);
    }
    command.args(["-c", "exec \"$0\" \"$@\" 2>&1"]).arg(programs.join("postgres")).arg("-D").arg(&data);
    command.args(["-p", &port, "-k", "", "-c", "listen_addresses=127.0.0.1"]).current_dir(&base);
    let (process, _) =
        Process::start(&mut command, "ready to accept connections", &folder.join("postgres.log"));
    for text in ["CREATE ROLE columba LOGIN CREATEROLE", "CREATE DATABASE columba OWNER columba"] {
        let said = run("psql")
            .args(["-h", "127.0.0.1", "-p", &port, "-U", "postgres", "-c", text])
            .output()
            .expect("psql");
        assert!(said.status.success(), "{text}: {}", String::from_utf8_lossy(&said.stderr));
    }
    (process, format!("postgres://columba@127.0.0.1:{port}/columba?sslmode=disable"))
}

fn newest(folder: &str) -> PathBuf {
    let entries = fs::read_dir(folder)
        .unwrap_or_else(|_| panic!("this bench starts PostgreSQL; run: scripts/servers.sh postgresql"));
    let versions = entries.filter_map(|entry| entry.ok()?.file_name().to_str()?.parse::<u32>().ok());
    Path::new(folder).join(versions.max().expect("a version of PostgreSQL").to_string())
}

fn user_of(name: &str) -> (u32, u32) {
    let users = fs::read_to_string("/etc/passwd").expect("users");
    let line = users.lines().find(|line| line.split(':').next() == Some(name)).expect("the package's user");
    let mut fields = line.split(':').skip(2).map(|field| field.parse().expect("a number"));
    (fields.next().expect("a user"), fields.next().expect("a group"))
}
