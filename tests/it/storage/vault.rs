//! Auth state is what was answered, sealed for its address, and its owner's alone.

use std::collections::BTreeMap;
use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use columba::domain::id::{SessionId, TenantId};
use columba::domain::scope::SystemScope;
use columba::domain::session::{Epoch, Lease};
use columba::domain::time::WallTime;
use columba::ports::clock::Clock as _;
use columba::ports::vault::{Change, Header, Secret, Vault, VaultError, Vaults, Writer};
use columba::storage::vault::{SqliteVaults, VaultOptions, open};
use futures_util::FutureExt as _;
use futures_util::future::join_all;
use proptest::prelude::*;
use sea_orm::{ConnectionTrait as _, Database, DatabaseConnection, Statement};
use tempfile::TempDir;

use crate::support::clock::ManualClock;

const MARK: &[u8] = b"the quick brown ratchet";

/// One data directory, opened as often as a test wants.
struct House {
    dir: TempDir,
    clock: Arc<ManualClock>,
}

impl House {
    fn new() -> Self {
        Self { dir: tempfile::tempdir().unwrap(), clock: Arc::default() }
    }

    fn path(&self, name: &str) -> std::path::PathBuf {
        self.dir.path().join(name)
    }

    async fn try_open(&self) -> Result<Arc<SqliteVaults>, VaultError> {
        let options = VaultOptions { data_dir: self.dir.path().to_owned(), key_file: self.path("kek") };
        open(options, self.clock.clone()).await
    }

    async fn open(&self) -> Arc<SqliteVaults> {
        self.try_open().await.unwrap()
    }

    /// The file itself, as an intruder would see it.
    async fn raw(&self) -> DatabaseConnection {
        Database::connect(format!("sqlite://{}", self.path("vault.db").display())).await.unwrap()
    }

    async fn count(&self, table: &str) -> i64 {
        let db = self.raw().await;
        let text = format!("SELECT count(*) FROM {table}");
        let row = db.query_one_raw(Statement::from_string(db.get_database_backend(), text)).await.unwrap();
        row.unwrap().try_get_by_index(0).unwrap()
    }

    fn lease(&self) -> Lease {
        let at = self.clock.wall();
        Lease { tenant: TenantId::mint(at), session: SessionId::mint(at), epoch: Epoch(1) }
    }
}

fn at_epoch(epoch: i64, lease: Lease) -> Lease {
    Lease { epoch: Epoch(epoch), ..lease }
}

fn writer(version: &str) -> Writer {
    Writer { engine: "sandbox".into(), version: version.into(), format: 1 }
}

fn put(key: &[u8], value: &[u8]) -> Change {
    put_until(key, value, None)
}

fn put_until(key: &[u8], value: &[u8], expires_at: Option<WallTime>) -> Change {
    Change::Put { kind: "device", key: key.to_vec(), value: Secret::new(value.to_vec()), expires_at }
}

fn delete(key: &[u8]) -> Change {
    Change::Delete { kind: "device", key: key.to_vec() }
}

async fn read(vault: &dyn Vault, key: &[u8]) -> Option<Vec<u8>> {
    let mut found = vault.get("device", &[key]).await.unwrap();
    found.pop().unwrap().map(|value| value.to_vec())
}

#[tokio::test]
async fn a_commit_that_was_answered_is_there_after_a_drop_without_close() {
    let house = House::new();
    let lease = house.lease();
    let vaults = house.open().await;
    let vault = vaults.open(lease, writer("1")).await.unwrap();
    vault.commit(vec![put(b"", MARK), put(b"gone", b"1"), delete(b"gone")]).await.unwrap();
    drop((vault, vaults));

    let vault = house.open().await.open(at_epoch(2, lease), writer("1")).await.unwrap();
    assert_eq!(read(&*vault, b"").await.as_deref(), Some(MARK));
    assert_eq!(read(&*vault, b"gone").await, None, "the last change of a key counts");
    assert_eq!(vault.header(), Header { writer: Some(writer("1")), clean: false });
}

#[tokio::test]
async fn values_come_in_the_order_asked_for_and_what_is_absent_is_none() {
    let house = House::new();
    let vault = house.open().await.open(house.lease(), writer("1")).await.unwrap();
    vault.commit(vec![put(b"a", b"1"), put(b"b", b"2")]).await.unwrap();
    let found = vault.get("device", &[b"b", b"x", b"a", b"b"]).await.unwrap();
    let found: Vec<_> = found.iter().map(|value| value.as_ref().map(|value| value.as_slice())).collect();
    assert_eq!(found, [Some(&b"2"[..]), None, Some(b"1"), Some(b"2")]);
    assert_eq!(vault.get("session", &[b"a"]).await.unwrap(), [None], "another kind is another place");
    assert!(vault.get("device", &[]).await.unwrap().is_empty());
}

#[tokio::test]
async fn an_older_owner_is_fenced_from_every_call_and_an_equal_one_may_open_again() {
    let house = House::new();
    let (vaults, lease) = (house.open().await, house.lease());
    let old = vaults.open(lease, writer("1")).await.unwrap();
    old.commit(vec![put(b"k", b"old")]).await.unwrap();
    let new = vaults.open(at_epoch(2, lease), writer("1")).await.unwrap();

    assert_eq!(old.get("device", &[b"k"]).await, Err(VaultError::Fenced));
    assert_eq!(old.get("device", &[]).await, Err(VaultError::Fenced));
    assert_eq!(old.list("device", b"", None, 10).await, Err(VaultError::Fenced));
    assert_eq!(old.commit(vec![put(b"k", b"late")]).await, Err(VaultError::Fenced));
    assert_eq!(old.wipe().await, Err(VaultError::Fenced));
    assert_eq!(old.close().await, Err(VaultError::Fenced));
    assert_eq!(vaults.archive(lease, house.clock.wall()).await, Err(VaultError::Fenced));
    assert_eq!(vaults.open(lease, writer("1")).await.err(), Some(VaultError::Fenced));

    assert_eq!(read(&*new, b"k").await.as_deref(), Some(&b"old"[..]));
    let again = vaults.open(at_epoch(2, lease), writer("1")).await.unwrap();
    new.commit(vec![put(b"k", b"new")]).await.unwrap();
    assert_eq!(read(&*again, b"k").await.as_deref(), Some(&b"new"[..]));
    drop((old, new, again, vaults));
    assert_eq!(
        house.open().await.open(lease, writer("1")).await.err(),
        Some(VaultError::Fenced),
        "the fence survives a restart"
    );
}

#[tokio::test]
async fn a_sealed_value_moved_to_another_place_does_not_open() {
    let house = House::new();
    let (vaults, mine) = (house.open().await, house.lease());
    let sibling = Lease { session: SessionId::mint(house.clock.wall()), ..mine };
    let (foreign, db) = (house.lease(), house.raw().await);
    for lease in [mine, sibling, foreign] {
        let vault = vaults.open(lease, writer("1")).await.unwrap();
        let elsewhere =
            Change::Put { kind: "session", key: b"a".into(), value: Secret::new(vec![0]), expires_at: None };
        vault.commit(vec![put(b"a", b"1"), put(b"b", b"2"), elsewhere]).await.unwrap();
    }
    let vault = vaults.open(mine, writer("1")).await.unwrap();
    let other_key = (mine.session, "device", "b");
    let other_kind = (mine.session, "session", "a");
    let other_session = (sibling.session, "device", "a");
    let other_tenant = (foreign.session, "device", "a");
    for (session, kind, key) in [other_key, other_kind, other_session, other_tenant] {
        vault.commit(vec![put(b"a", b"1")]).await.unwrap();
        let swap = Statement::from_sql_and_values(
            db.get_database_backend(),
            "UPDATE record SET sealed =
               (SELECT sealed FROM record WHERE session = ?1 AND kind = ?2 AND key = CAST(?3 AS BLOB))
             WHERE session = ?4 AND kind = 'device' AND key = x'61'",
            [session.uuid().into(), kind.into(), key.into(), mine.session.uuid().into()],
        );
        assert_eq!(db.execute_raw(swap).await.unwrap().rows_affected(), 1);
        assert_eq!(vault.get("device", &[b"a"]).await, Err(VaultError::Sealed), "from {kind}/{key}");
        assert_eq!(read(&*vault, b"b").await.as_deref(), Some(&b"2"[..]), "its neighbour opens");
    }
    let stolen = Lease { tenant: foreign.tenant, ..at_epoch(9, mine) };
    assert_eq!(vaults.open(stolen, writer("1")).await.err(), Some(VaultError::Sealed), "nor a whole session");
}

#[tokio::test]
async fn files_belong_to_their_owner_alone_and_show_no_value_and_no_key() {
    let house = House::new();
    let (vaults, lease) = (house.open().await, house.lease());
    let vault = vaults.open(lease, writer("1")).await.unwrap();
    vault.commit(vec![put(b"k", MARK)]).await.unwrap();

    let mode = |path: &Path| fs::metadata(path).unwrap().permissions().mode() & 0o777;
    let tenant_dir = house.path("tenants").join(lease.tenant.to_string());
    for dir in [house.path("tenants"), tenant_dir.clone()] {
        assert_eq!(mode(&dir), 0o700, "{}", dir.display());
    }
    let files = ["vault.db", "vault.db-wal", "vault.db-shm", "kek"].map(|name| house.path(name));
    for file in files.iter().chain([&tenant_dir.join("data.key")]) {
        assert_eq!(mode(file), 0o600, "{}", file.display());
        let content = fs::read(file).unwrap();
        assert!(!content.windows(MARK.len()).any(|part| part == MARK), "{}", file.display());
    }
    assert_eq!(fs::read_to_string(house.path("kek")).unwrap().trim().len(), 64);
}

#[tokio::test]
async fn a_wrong_key_file_is_named_at_start_and_a_missing_one_is_not_replaced() {
    let house = House::new();
    let vaults = house.open().await;
    vaults.open(house.lease(), writer("1")).await.unwrap();
    drop(vaults);
    let right = fs::read(house.path("kek")).unwrap();

    fs::write(house.path("kek"), "ab".repeat(32)).unwrap();
    let wrong = house.try_open().await.err().unwrap().to_string();
    assert!(wrong.contains("wrong key file"), "{wrong}");
    fs::write(house.path("kek"), "too short").unwrap();
    let short = house.try_open().await.err().unwrap().to_string();
    assert!(short.contains("64 hex digits") && !short.contains("too short"), "{short}");
    fs::remove_file(house.path("kek")).unwrap();
    let missing = house.try_open().await.err().unwrap().to_string();
    assert!(missing.contains("is missing"), "{missing}");
    assert!(!house.path("kek").exists(), "a new key would hide that the old one is lost");

    fs::write(house.path("kek"), right).unwrap();
    house.open().await;
}

#[tokio::test]
async fn a_tenants_key_file_does_not_open_for_another_tenant() {
    let house = House::new();
    let (mine, theirs) = (house.lease(), house.lease());
    let vaults = house.open().await;
    vaults.open(mine, writer("1")).await.unwrap();
    vaults.open(theirs, writer("1")).await.unwrap();
    drop(vaults);
    let key_of = |lease: Lease| house.path("tenants").join(lease.tenant.to_string()).join("data.key");
    fs::copy(key_of(theirs), key_of(mine)).unwrap();
    let vaults = house.open().await;
    assert_eq!(vaults.open(at_epoch(2, mine), writer("1")).await.err(), Some(VaultError::Sealed));
}

#[tokio::test]
async fn commits_of_a_hundred_sessions_share_a_few_transactions_and_a_fenced_one_fails_alone() {
    let house = House::new();
    let vaults = house.open().await;
    let mut opened = vec![];
    for _ in 0..100 {
        let lease = house.lease();
        opened.push((lease, vaults.open(lease, writer("1")).await.unwrap()));
    }
    vaults.open(at_epoch(2, opened[50].0), writer("1")).await.unwrap();

    let before = vaults.transactions();
    let commits = opened.iter().map(|(lease, vault)| {
        let own = lease.session.to_string();
        vault.commit(vec![put(b"k", own.as_bytes())])
    });
    let answers = join_all(commits).await;
    let spent = vaults.transactions() - before;
    assert!((1..=10).contains(&spent), "{spent} transactions for 100 commits");
    for (at, (answer, (lease, vault))) in answers.iter().zip(&opened).enumerate() {
        if at == 50 {
            assert_eq!(*answer, Err(VaultError::Fenced));
        } else {
            assert_eq!(*answer, Ok(()));
            assert_eq!(read(&**vault, b"k").await, Some(lease.session.to_string().into_bytes()));
        }
    }
}

#[tokio::test]
async fn calls_of_one_session_take_effect_in_the_order_they_were_made() {
    let house = House::new();
    let vault = house.open().await.open(house.lease(), writer("1")).await.unwrap();
    let (one, first, two, second, gone, third) = tokio::join!(
        vault.commit(vec![put(b"k", b"1")]),
        vault.get("device", &[b"k"]),
        vault.commit(vec![put(b"k", b"2")]),
        vault.list("device", b"", None, 10),
        vault.wipe(),
        vault.get("device", &[b"k"]),
    );
    assert_eq!((one, two, gone), (Ok(()), Ok(()), Ok(())));
    assert_eq!(first.unwrap()[0].as_ref().unwrap().as_slice(), b"1");
    assert_eq!(second.unwrap(), [b"k"]);
    assert_eq!(third.unwrap(), [None]);
}

#[tokio::test]
async fn a_caller_who_left_does_not_let_the_next_call_overtake() {
    let house = House::new();
    let vault = house.open().await.open(house.lease(), writer("1")).await.unwrap();
    assert!(vault.commit(vec![put(b"k", b"1")]).now_or_never().is_none(), "it was left before its answer");
    assert_eq!(read(&*vault, b"k").await.as_deref(), Some(&b"1"[..]));
}

#[tokio::test]
async fn an_expired_record_is_absent_before_the_sweep_and_gone_after_it() {
    let house = House::new();
    let vaults = house.open().await;
    let vault = vaults.open(house.lease(), writer("1")).await.unwrap();
    let soon = Some(house.clock.wall() + Duration::from_secs(60));
    let batch = vec![put_until(b"a", b"1", soon), put_until(b"b", b"2", soon), put(b"c", b"3")];
    vault.commit(batch).await.unwrap();
    vault.commit(vec![put(b"b", b"stays")]).await.unwrap();
    let keys = || async { vault.list("device", b"", None, 10).await.unwrap() };

    house.clock.advance(Duration::from_millis(59_999));
    assert_eq!(keys().await, [b"a", b"b", b"c"]);
    assert_eq!(vaults.sweep(SystemScope, house.clock.wall()).await, Ok(0));
    house.clock.advance(Duration::from_millis(1));
    assert_eq!(read(&*vault, b"a").await, None);
    assert_eq!(keys().await, [b"b", b"c"], "a put without an end takes the end away");
    assert_eq!(vaults.sweep(SystemScope, house.clock.wall()).await, Ok(1));
    assert_eq!(house.count("record").await, 2);
}

#[tokio::test]
async fn a_list_runs_in_pages_over_keys_that_begin_with_a_prefix() {
    let house = House::new();
    let vault = house.open().await.open(house.lease(), writer("1")).await.unwrap();
    let keys: [&[u8]; 7] = [b"", b"a", b"a\0", b"ab", b"a\xff", b"b", b"\xff\xff"];
    vault.commit(keys.iter().map(|key| put(key, b"")).collect()).await.unwrap();
    for (prefix, expected) in [
        (&b""[..], keys.to_vec()),
        (b"a", vec![b"a", b"a\0", b"ab", b"a\xff"]),
        (b"a\xff", vec![b"a\xff"]),
        (b"\xff", vec![b"\xff\xff"]),
        (b"x", vec![]),
    ] {
        let mut expected: Vec<_> = expected.into_iter().map(<[u8]>::to_vec).collect();
        expected.sort();
        for limit in 1..=8 {
            let (mut found, mut after): (Vec<Vec<u8>>, Option<Vec<u8>>) = (vec![], None);
            loop {
                let page = vault.list("device", prefix, after.as_deref(), limit).await.unwrap();
                assert!(page.len() <= limit as usize);
                after = page.last().cloned();
                found.extend(page);
                if after.is_none() {
                    break;
                }
            }
            assert_eq!(found, expected, "prefix {prefix:?} in pages of {limit}");
        }
    }
}

#[tokio::test]
async fn the_header_says_who_wrote_last_and_whether_that_one_closed() {
    let house = House::new();
    let (vaults, lease) = (house.open().await, house.lease());
    let open = |epoch, version| vaults.open(at_epoch(epoch, lease), writer(version));
    let wrote = |version, clean| Header { writer: Some(writer(version)), clean };

    let first = open(1, "1").await.unwrap();
    assert_eq!(first.header(), Header { writer: None, clean: true }, "nothing was ever written");
    first.commit(vec![put(b"k", b"1")]).await.unwrap();
    assert_eq!(first.header(), wrote("1", false));
    first.close().await.unwrap();
    assert_eq!(first.header(), wrote("1", true));

    let second = open(2, "2").await.unwrap();
    assert_eq!(second.header(), wrote("1", true), "opening is not writing");
    second.commit(vec![delete(b"x")]).await.unwrap();
    let third = open(3, "1").await.unwrap();
    assert_eq!(third.header(), wrote("2", false), "the second one crashed");
    third.close().await.unwrap();
    assert_eq!(third.header(), wrote("2", false), "who only looked cannot vouch for it");
    third.wipe().await.unwrap();
    assert_eq!(third.header(), Header { writer: None, clean: true });
}

#[tokio::test]
async fn an_archive_leaves_an_empty_vault_and_lasts_seven_days() {
    let house = House::new();
    let (vaults, lease) = (house.open().await, house.lease());
    assert_eq!(vaults.archive(lease, house.clock.wall()).await, Ok(()), "nothing to put away");
    let vault = vaults.open(lease, writer("1")).await.unwrap();
    vault.commit(vec![put(b"a", b"1"), put(b"b", b"2")]).await.unwrap();
    for _ in 0..2 {
        assert_eq!(vaults.archive(lease, house.clock.wall()).await, Ok(()));
        assert_eq!(read(&*vault, b"a").await, None);
        assert_eq!((house.count("record").await, house.count("archive").await), (0, 2));
        house.clock.advance(Duration::from_secs(1));
    }
    let after = vaults.open(at_epoch(2, lease), writer("1")).await.unwrap();
    assert_eq!(after.header(), Header { writer: None, clean: true });

    house.clock.advance(Duration::from_secs(7 * 24 * 3600 - 2));
    assert_eq!(vaults.sweep(SystemScope, house.clock.wall()).await, Ok(0));
    house.clock.advance(Duration::from_secs(1));
    assert_eq!(vaults.sweep(SystemScope, house.clock.wall()).await, Ok(2));
    assert_eq!(house.count("archive").await, 0);
}

#[tokio::test]
async fn destroying_a_session_leaves_nothing_and_fences_its_owner() {
    let house = House::new();
    let (vaults, lease) = (house.open().await, house.lease());
    let sibling = Lease { session: SessionId::mint(house.clock.wall()), ..lease };
    for lease in [lease, sibling] {
        let vault = vaults.open(lease, writer("1")).await.unwrap();
        vault.commit(vec![put(b"a", b"1")]).await.unwrap();
        vaults.archive(lease, house.clock.wall()).await.unwrap();
        vault.commit(vec![put(b"a", b"2")]).await.unwrap();
    }
    let vault = vaults.open(lease, writer("1")).await.unwrap();
    for _ in 0..2 {
        assert_eq!(vaults.destroy(SystemScope, lease.tenant, lease.session).await, Ok(()));
    }
    assert_eq!(vault.commit(vec![put(b"a", b"3")]).await, Err(VaultError::Fenced));
    assert_eq!(vault.get("device", &[b"a"]).await, Err(VaultError::Fenced));
    for table in ["record", "archive", "session_header"] {
        assert_eq!(house.count(table).await, 1, "{table}: the sibling's stays");
    }
}

#[tokio::test]
async fn destroying_a_tenant_makes_even_a_copy_of_the_file_unreadable() {
    let house = House::new();
    let (vaults, lease, neighbour) = (house.open().await, house.lease(), house.lease());
    for lease in [lease, neighbour] {
        let vault = vaults.open(lease, writer("1")).await.unwrap();
        vault.commit(vec![put(b"a", MARK)]).await.unwrap();
    }
    let db = house.raw().await;
    db.execute_unprepared(&format!("VACUUM INTO '{}'", house.path("copy.db").display())).await.unwrap();
    db.close().await.unwrap();
    let held = vaults.open(lease, writer("1")).await.unwrap();

    for _ in 0..2 {
        assert_eq!(vaults.destroy_tenant(SystemScope, lease.tenant).await, Ok(()));
    }
    assert_eq!(held.get("device", &[b"a"]).await, Err(VaultError::Fenced));
    assert!(!house.path("tenants").join(lease.tenant.to_string()).join("data.key").exists());
    let other = vaults.open(neighbour, writer("1")).await.unwrap();
    assert_eq!(read(&*other, b"a").await.as_deref(), Some(MARK));
    drop((held, other, vaults));

    let elsewhere = House::new();
    fs::copy(house.path("copy.db"), elsewhere.path("vault.db")).unwrap();
    fs::copy(house.path("kek"), elsewhere.path("kek")).unwrap();
    let vault = elsewhere.open().await.open(lease, writer("1")).await.unwrap();
    assert_eq!(vault.list("device", b"", None, 10).await.unwrap(), [b"a"], "the row is there");
    assert_eq!(vault.get("device", &[b"a"]).await, Err(VaultError::Sealed), "its key is not");
}

#[tokio::test]
async fn beyond_a_bound_nothing_of_a_batch_is_written() {
    let house = House::new();
    let vault = house.open().await.open(house.lease(), writer("1")).await.unwrap();
    let mib = 1 << 20;
    let bad_kind = |kind| Change::Put { kind, key: vec![], value: Secret::default(), expires_at: None };
    for (what, over) in [
        ("a key of 513 bytes", vec![put(&[0; 513], b"")]),
        ("a value over 4 MiB", vec![put(b"k", &vec![0; 4 * mib + 1])]),
        ("10,001 records", vec![delete(b"k"); 10_001]),
        ("over 16 MiB", (0..5).map(|at| put(&[at], &vec![0; 4 * mib])).collect()),
        ("a kind with a slash", vec![bad_kind("a/b")]),
        ("an empty kind", vec![bad_kind("")]),
    ] {
        let mut batch = vec![put(b"first", b"1")];
        batch.extend(over);
        let answer = vault.commit(batch).await;
        assert!(matches!(answer, Err(VaultError::TooLarge(_))), "{what}: {answer:?}");
        assert_eq!(read(&*vault, b"first").await, None, "{what}");
    }
    vault.commit(vec![put(&[0; 512], &vec![7; 4 * mib])]).await.unwrap();
    assert_eq!(read(&*vault, &[0; 512]).await, Some(vec![7; 4 * mib]));
}

/// What may happen to a vault.
#[derive(Debug, Clone)]
enum Deed {
    Commit(Vec<(u8, u8, Option<Option<u8>>)>),
    Wait(u8),
    Reopen,
    Sweep,
    Wipe,
}

fn deed() -> impl Strategy<Value = Deed> {
    // A change is (kind, key, None to delete, Some(seconds to live, if it ends)).
    let ttl = prop_oneof![Just(None), (1..5u8).prop_map(Some)];
    let change = (0..2u8, 0..4u8, prop_oneof![1 => Just(None), 3 => ttl.prop_map(Some)]);
    prop_oneof![
        8 => prop::collection::vec(change, 0..6).prop_map(Deed::Commit),
        2 => (1..4u8).prop_map(Deed::Wait),
        1 => Just(Deed::Reopen),
        1 => Just(Deed::Sweep),
        1 => Just(Deed::Wipe),
    ]
}

async fn compare_with_a_map(deeds: Vec<Deed>) {
    const KINDS: [&str; 2] = ["device", "session"];
    let house = House::new();
    let mut lease = house.lease();
    let mut vaults = house.open().await;
    let mut vault = vaults.open(lease, writer("1")).await.unwrap();
    let mut model: BTreeMap<(u8, u8), (u64, Option<WallTime>)> = BTreeMap::new();
    for (version, deed) in deeds.into_iter().enumerate() {
        let version = version as u64;
        match deed {
            Deed::Commit(changes) => {
                let mut batch = vec![];
                for (kind, key, change) in changes {
                    let place = KINDS[kind as usize];
                    let Some(ttl) = change else {
                        model.remove(&(kind, key));
                        batch.push(Change::Delete { kind: place, key: vec![key] });
                        continue;
                    };
                    let ends = ttl.map(|ttl| house.clock.wall() + Duration::from_secs(ttl.into()));
                    model.insert((kind, key), (version, ends));
                    let value = Secret::new(version.to_be_bytes().to_vec());
                    batch.push(Change::Put { kind: place, key: vec![key], value, expires_at: ends });
                }
                vault.commit(batch).await.unwrap();
            }
            Deed::Wait(seconds) => house.clock.advance(Duration::from_secs(seconds.into())),
            Deed::Reopen => {
                lease = at_epoch(lease.epoch.0 + 1, lease);
                drop((vault, vaults));
                vaults = house.open().await;
                vault = vaults.open(lease, writer("1")).await.unwrap();
            }
            Deed::Sweep => drop(vaults.sweep(SystemScope, house.clock.wall()).await.unwrap()),
            Deed::Wipe => {
                vault.wipe().await.unwrap();
                model.clear();
            }
        }
        model.retain(|_, (_, ends)| ends.is_none_or(|ends| ends > house.clock.wall()));
        for (kind, place) in (0..).zip(KINDS) {
            let keys = vault.list(place, b"", None, 10).await.unwrap();
            let expected: Vec<_> = model.range((kind, 0)..(kind + 1, 0)).collect();
            assert_eq!(keys, expected.iter().map(|((_, key), _)| vec![*key]).collect::<Vec<_>>());
            let keys: Vec<_> = keys.iter().map(Vec::as_slice).collect();
            for (value, (_, (version, _))) in vault.get(place, &keys).await.unwrap().iter().zip(expected) {
                assert_eq!(value.as_ref().unwrap().as_slice(), version.to_be_bytes());
            }
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(16))]

    #[test]
    fn a_vault_is_a_map_whatever_is_committed_swept_and_reopened(deeds in prop::collection::vec(deed(), 1..25)) {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        runtime.block_on(compare_with_a_map(deeds));
    }
}
