//! A PostgreSQL server of Debian's package, one for the whole test process, and a fresh database a test.

use std::fs::{self, Permissions};
use std::io::{BufRead as _, BufReader, Write as _};
use std::net::TcpListener;
use std::os::unix::fs::{PermissionsExt as _, chown};
use std::os::unix::process::CommandExt as _;
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Mutex, OnceLock};

use columba::storage::sql::{Place, steps};
use sea_orm::{ConnectOptions, ConnectionTrait as _, Database, DatabaseConnection, DbBackend, Statement};
use tokio::sync::OnceCell;

use super::tls::Certificate;

const MISSING: &str = "this test starts PostgreSQL 15 or newer: run `scripts/servers.sh postgresql` as root, or \
    `apt-get install postgresql`";

/// Does as it is told, a word a line, and says when it is done. Ends the server when this process is gone, however it
/// went: the pipe it reads closes then.
const WATCH: &str = r#"programs=$1 folder=$2 options=$3
    ctl() { $programs/pg_ctl -D $folder/data -s "$@" </dev/null >&2; }
    signal() { main=$(head -1 $folder/data/postmaster.pid) && kill -$1 $main $(pgrep -P $main); }
    while read word; do
        case $word in
            start) ctl -l $folder/log -o "$options" -w start || { cat $folder/log >&2; exit 1; } ;;
            stop) ctl -m immediate -w stop ;;
            freeze) signal STOP ;;
            thaw) signal CONT ;;
        esac
        echo $word
    done
    signal CONT 2>/dev/null
    ctl -m immediate stop
    rm -rf $folder"#;

/// Nothing that these tests write has to outlive the machine.
const UNSAFE: &str = "-c fsync=off -c full_page_writes=off -c autovacuum=off";

/// A server that runs until this process ends, unless it is told to stop.
pub struct Server {
    port: u16,
    watcher: Mutex<Watcher>,
    /// Who owns the databases; made once, since two who make it at a time get in each other's way.
    owner: OnceCell<()>,
}

/// The process of [`WATCH`].
struct Watcher {
    child: Child,
    ears: Option<ChildStdin>,
    mouth: BufReader<ChildStdout>,
}

/// It ends the server when nobody can tell it anything any more.
impl Drop for Watcher {
    fn drop(&mut self) {
        self.ears = None;
        let _ = self.child.wait();
    }
}

static SERVER: OnceLock<Server> = OnceLock::new();

/// The database that every test's is copied from.
static TEMPLATE: OnceCell<()> = OnceCell::const_new();

static DATABASES: AtomicU32 = AtomicU32::new(0);

/// The address of a new database with the schema in it. Its user owns it and is no superuser.
pub async fn database() -> String {
    let server = SERVER.get_or_init(Server::start);
    TEMPLATE
        .get_or_init(async || {
            let url = server.empty_database("migrated").await;
            steps::take(&Place::Server(url), |_| {}).await.unwrap();
        })
        .await;
    let name = format!("test{}", DATABASES.fetch_add(1, Ordering::Relaxed));
    server.say(&format!("CREATE DATABASE {name} TEMPLATE migrated OWNER columba")).await;
    server.url("columba", &name)
}

/// The address of a new database without a schema.
pub async fn empty() -> String {
    let name = format!("empty{}", DATABASES.fetch_add(1, Ordering::Relaxed));
    SERVER.get_or_init(Server::start).empty_database(&name).await
}

/// The same database for a superuser, whom no policy binds.
pub fn as_superuser(url: &str) -> String {
    url.replace("//columba@", "//postgres@")
}

/// A superuser's only connection to a database.
pub struct Session(DatabaseConnection);

impl Session {
    pub async fn on(url: &str) -> Self {
        let options = ConnectOptions::new(as_superuser(url)).max_connections(1).to_owned();
        Self(Database::connect(options).await.unwrap())
    }

    pub async fn say(&self, text: &str) {
        self.0.execute_unprepared(text).await.unwrap_or_else(|error| panic!("{text}: {error}"));
    }

    pub async fn count(&self, text: &str) -> i64 {
        let row = self.0.query_one_raw(Statement::from_string(DbBackend::Postgres, text)).await;
        row.unwrap_or_else(|error| panic!("{text}: {error}")).unwrap().try_get_by_index(0).unwrap()
    }
}

impl Server {
    /// One that is spoken to in the clear.
    pub fn start() -> Self {
        Self::start_with(None)
    }

    /// One that speaks TLS to whoever wants it to.
    #[allow(dead_code, reason = "only the gate's tests need one")]
    pub fn start_encrypted(certificate: &Certificate) -> Self {
        Self::start_with(Some(certificate))
    }

    /// PostgreSQL refuses to run as root, so it runs as the user its package made.
    fn start_with(certificate: Option<&Certificate>) -> Self {
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
        let mut options =
            format!("-p {port} -k '' -c listen_addresses=127.0.0.1 -c max_connections=300 {UNSAFE}");
        if let Some(certificate) = certificate {
            // It wants a key that is its own and nobody else's.
            for (from, name) in [(certificate.certificate(), "cert.pem"), (certificate.key(), "key.pem")] {
                let to = folder.join(name);
                fs::copy(from, &to).unwrap();
                fs::set_permissions(&to, Permissions::from_mode(0o600)).unwrap();
                if let Some((user, group)) = unprivileged {
                    chown(&to, Some(user), Some(group)).unwrap();
                }
            }
            let shown = folder.display();
            options +=
                &format!(" -c ssl=on -c ssl_cert_file={shown}/cert.pem -c ssl_key_file={shown}/key.pem");
        }
        let mut child = run(Path::new("sh"))
            .args(["-c", WATCH, "sh"])
            .args([&programs, &folder])
            .arg(options)
            // A Ctrl-C for the tests would otherwise end the watcher before it has ended the server.
            .process_group(0)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let (ears, mouth) = (child.stdin.take(), BufReader::new(child.stdout.take().unwrap()));
        let server =
            Self { port, watcher: Mutex::new(Watcher { child, ears, mouth }), owner: OnceCell::new() };
        server.tell("start");
        server
    }

    /// Ends it as a power cut would, but for what it had written: every client is cut off.
    pub fn stop(&self) {
        self.tell("stop");
    }

    /// Starts it again where it was.
    pub fn start_again(&self) {
        self.tell("start");
    }

    /// Lets it hang: connections stay open, and nobody answers.
    pub fn freeze(&self) {
        self.tell("freeze");
    }

    /// Lets it go on.
    pub fn thaw(&self) {
        self.tell("thaw");
    }

    fn tell(&self, word: &str) {
        let watcher = &mut *self.watcher.lock().unwrap();
        writeln!(watcher.ears.as_mut().unwrap(), "{word}").unwrap();
        let mut done = String::new();
        watcher.mouth.read_line(&mut done).unwrap();
        assert_eq!(done.trim_end(), word, "PostgreSQL did not do it; what it said stands above");
    }

    /// The address of a new database without a schema, for its owner.
    pub async fn empty_database(&self, name: &str) -> String {
        self.owner.get_or_init(async || self.say("CREATE ROLE columba LOGIN CREATEROLE").await).await;
        self.say(&format!("CREATE DATABASE {name} OWNER columba")).await;
        self.url("columba", name)
    }

    fn url(&self, user: &str, database: &str) -> String {
        format!("postgres://{user}@127.0.0.1:{}/{database}?sslmode=disable", self.port)
    }

    async fn say(&self, text: &str) {
        let db = Database::connect(self.url("postgres", "postgres")).await.unwrap();
        db.execute_unprepared(text).await.unwrap_or_else(|error| panic!("{text}: {error}"));
        db.close().await.unwrap();
    }
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
