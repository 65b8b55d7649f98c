//! A PostgreSQL server of Debian's package, one for the whole test process, and a fresh database a test.

use std::io::{BufRead as _, BufReader};
use std::net::TcpListener;
use std::os::unix::fs::chown;
use std::os::unix::process::CommandExt as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::OnceLock;
use std::sync::atomic::{AtomicU32, Ordering};

use columba::storage::sql::{Place, steps};
use sea_orm::{ConnectionTrait as _, Database};
use tokio::sync::OnceCell;

const MISSING: &str = "this test starts PostgreSQL 15 or newer: run `scripts/servers.sh postgresql` as root, or \
    `apt-get install postgresql`";

/// Starts the server and says so; ends it when this process is gone, however it went: the pipe it reads closes then.
const WATCH: &str = r#"programs=$1 folder=$2 options=$3
    $programs/pg_ctl -D $folder/data -l $folder/log -o "$options" -w -s start || { cat $folder/log >&2; exit 1; }
    echo ready
    cat >/dev/null
    $programs/pg_ctl -D $folder/data -m immediate -s stop
    rm -rf $folder"#;

/// Nothing that these tests write has to outlive the machine.
const UNSAFE: &str = "-c fsync=off -c full_page_writes=off -c synchronous_commit=off -c autovacuum=off";

/// A server that runs until this process ends.
struct Server {
    port: u16,
}

static SERVER: OnceLock<Server> = OnceLock::new();

/// The database that every test's is copied from.
static TEMPLATE: OnceCell<()> = OnceCell::const_new();

static DATABASES: AtomicU32 = AtomicU32::new(0);

/// The address of a new database with the schema in it. Its user owns it and is no superuser.
pub async fn database() -> String {
    let server = SERVER.get_or_init(start);
    TEMPLATE
        .get_or_init(async || {
            server.say("CREATE ROLE columba LOGIN CREATEROLE").await;
            server.say("CREATE DATABASE migrated OWNER columba").await;
            steps::take(&Place::Server(server.url("columba", "migrated")), |_| {}).await.unwrap();
        })
        .await;
    let name = format!("test{}", DATABASES.fetch_add(1, Ordering::Relaxed));
    server.say(&format!("CREATE DATABASE {name} TEMPLATE migrated OWNER columba")).await;
    server.url("columba", &name)
}

/// The same database for a superuser, whom no policy binds.
pub fn as_superuser(url: &str) -> String {
    url.replace("//columba@", "//postgres@")
}

impl Server {
    fn url(&self, user: &str, database: &str) -> String {
        format!("postgres://{user}@127.0.0.1:{}/{database}?sslmode=disable", self.port)
    }

    async fn say(&self, text: &str) {
        let db = Database::connect(self.url("postgres", "postgres")).await.unwrap();
        db.execute_unprepared(text).await.unwrap_or_else(|error| panic!("{text}: {error}"));
        db.close().await.unwrap();
    }
}

/// PostgreSQL refuses to run as root, so it runs as the user its package made.
fn start() -> Server {
    let programs = programs();
    let folder = tempfile::Builder::new().prefix("columba-postgres").tempdir().unwrap().keep();
    let unprivileged = unprivileged();
    if let Some((user, group)) = unprivileged {
        chown(&folder, Some(user), Some(group)).unwrap();
    }
    let run = |program: &Path| {
        let mut command = Command::new(program);
        if let Some((user, group)) = unprivileged {
            command.uid(user).gid(group);
        }
        command.current_dir(&folder);
        command
    };
    let data = folder.join("data");
    let made = run(&programs.join("initdb"))
        .args([
            "--username=postgres",
            "--auth=trust",
            "--encoding=UTF8",
            "--locale=C",
            "--no-sync",
            "--pgdata",
        ])
        .arg(&data)
        .output()
        .unwrap();
    assert!(made.status.success(), "initdb: {}", String::from_utf8_lossy(&made.stderr));
    let port = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
    let options = format!("-p {port} -k '' -c listen_addresses=127.0.0.1 -c max_connections=300 {UNSAFE}");
    let mut watcher = run(Path::new("sh"))
        .args(["-c", WATCH, "sh"])
        .args([&programs, &folder])
        .arg(options)
        // A Ctrl-C for the tests would otherwise end the watcher before it has ended the server.
        .process_group(0)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    // Held open until this process ends.
    std::mem::forget(watcher.stdin.take());
    let mut word = String::new();
    BufReader::new(watcher.stdout.take().unwrap()).read_line(&mut word).unwrap();
    assert_eq!(word, "ready\n", "PostgreSQL did not start; what it said stands above");
    Server { port }
}

/// Where Debian's newest PostgreSQL keeps its programs.
fn programs() -> PathBuf {
    let versions = std::fs::read_dir("/usr/lib/postgresql").unwrap_or_else(|_| panic!("{MISSING}"));
    let versions = versions.filter_map(|entry| entry.unwrap().file_name().to_str()?.parse::<u32>().ok());
    let newest = versions.max().unwrap_or_else(|| panic!("{MISSING}"));
    Path::new("/usr/lib/postgresql").join(newest.to_string()).join("bin")
}

/// The user `postgres` and its group, when this runs as root.
fn unprivileged() -> Option<(u32, u32)> {
    if !rustix::process::geteuid().is_root() {
        return None;
    }
    let users = std::fs::read_to_string("/etc/passwd").unwrap();
    let line =
        users.lines().find(|line| line.starts_with("postgres:")).unwrap_or_else(|| panic!("{MISSING}"));
    let mut fields = line.split(':').skip(2).map(|field| field.parse().unwrap());
    Some((fields.next().unwrap(), fields.next().unwrap()))
}
