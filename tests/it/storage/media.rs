//! Bytes of files in a folder: whole or not there, found by id, and nothing of what was begun stays.

use std::fs;
use std::io::Read as _;
use std::path::{Path, PathBuf};

use bytes::Bytes;
use columba::domain::id::{MediaId, TenantId};
use columba::domain::time::WallTime;
use columba::ports::media::{FilesError, HEAD, MediaFiles as _};
use columba::storage::media::MediaFolder;
use sha2::{Digest as _, Sha256};

struct Disk {
    data: tempfile::TempDir,
    folder: MediaFolder,
    tenant: TenantId,
}

impl Disk {
    fn new() -> Self {
        let data = tempfile::tempdir().unwrap();
        let folder = MediaFolder::open(data.path()).unwrap();
        Self { data, folder, tenant: TenantId::mint(WallTime(0)) }
    }

    /// Every file below the folder.
    fn all(&self) -> Vec<PathBuf> {
        fn walk(folder: &Path, found: &mut Vec<PathBuf>) {
            for entry in fs::read_dir(folder).unwrap() {
                let path = entry.unwrap().path();
                if path.is_dir() { walk(&path, found) } else { found.push(path) }
            }
        }
        let mut found = vec![];
        walk(&self.data.path().join("media"), &mut found);
        found
    }

    async fn keep(&self, bytes: &[u8]) -> MediaId {
        let id = MediaId::mint(WallTime(1));
        let mut incoming = self.folder.begin(self.tenant).await.unwrap();
        for chunk in bytes.chunks(10_000) {
            incoming.write(Bytes::copy_from_slice(chunk)).await.unwrap();
        }
        incoming.keep(id).await.unwrap();
        id
    }

    async fn read(&self, id: MediaId) -> Vec<u8> {
        let mut bytes = vec![];
        self.folder.open(self.tenant, id).await.unwrap().read_to_end(&mut bytes).unwrap();
        bytes
    }
}

/// Bytes of which no two stretches are alike.
fn bytes(count: usize) -> Vec<u8> {
    (0..count as u64)
        .flat_map(|n| (n.wrapping_mul(0x9E37_79B9_7F4A_7C15)).to_be_bytes())
        .take(count)
        .collect()
}

#[tokio::test]
async fn what_was_written_in_pieces_is_there_whole_under_its_id_and_for_its_owner_only() {
    let disk = Disk::new();
    for size in [0, 1, HEAD, HEAD + 1, 256 * 1024, 700_001] {
        let bytes = bytes(size);
        let mut incoming = disk.folder.begin(disk.tenant).await.unwrap();
        for chunk in bytes.chunks(60_000) {
            incoming.write(Bytes::copy_from_slice(chunk)).await.unwrap();
        }
        let whole = incoming.whole().await.unwrap();
        assert_eq!((whole.size, &whole.sha256[..]), (size as u64, &Sha256::digest(&bytes)[..]));
        assert_eq!(whole.head, bytes[..size.min(HEAD)]);
        let id = MediaId::mint(WallTime(2));
        assert_eq!(disk.folder.has(disk.tenant, id).await, Ok(false), "before it is kept it is not there");
        incoming.keep(id).await.unwrap();
        assert_eq!(disk.read(id).await, bytes);
        let other = TenantId::mint(WallTime(3));
        assert_eq!(disk.folder.open(other, id).await.err(), Some(FilesError::Absent));
    }
    use std::os::unix::fs::PermissionsExt as _;
    for path in disk.all() {
        assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o400, "{path:?}");
        assert_eq!(fs::metadata(path.parent().unwrap()).unwrap().permissions().mode() & 0o777, 0o700);
    }
    assert_eq!(disk.folder.tenants().await, Ok(vec![disk.tenant]));
    assert_eq!(disk.folder.of(disk.tenant).await.unwrap().len(), 6);
}

#[tokio::test]
async fn what_is_given_up_leaves_nothing_and_what_a_crash_leaves_the_next_start_removes() {
    let disk = Disk::new();
    let mut incoming = disk.folder.begin(disk.tenant).await.unwrap();
    incoming.write(Bytes::from(bytes(400_000))).await.unwrap();
    assert_eq!(disk.all().len(), 1);
    drop(incoming);
    assert_eq!(disk.all(), Vec::<PathBuf>::new());

    let mut crashed = disk.folder.begin(disk.tenant).await.unwrap();
    crashed.write(Bytes::from(bytes(400_000))).await.unwrap();
    std::mem::forget(crashed);
    let kept = disk.keep(b"kept").await;
    assert_eq!(disk.all().len(), 2);
    MediaFolder::open(disk.data.path()).unwrap();
    assert_eq!(disk.all().len(), 1);
    assert_eq!(disk.read(kept).await, b"kept");
}

#[tokio::test]
async fn a_file_is_filled_from_another_up_to_a_bound() {
    let disk = Disk::new();
    let bytes = bytes(600_000);
    let source = disk.data.path().join("source");
    fs::write(&source, &bytes).unwrap();
    for (most, fits) in [(600_000, true), (599_999, false), (0, false), (u64::MAX, true)] {
        let mut incoming = disk.folder.begin(disk.tenant).await.unwrap();
        let all = incoming.fill(fs::File::open(&source).unwrap(), most).await.unwrap();
        assert_eq!(all, fits, "{most}");
        let whole = incoming.whole().await.unwrap();
        assert!(whole.size <= most);
        assert_eq!(fits, whole.sha256[..] == Sha256::digest(&bytes)[..]);
    }
}

#[tokio::test]
async fn what_is_lent_is_the_same_bytes_under_a_new_name_and_removing_one_leaves_the_other() {
    let disk = Disk::new();
    let id = disk.keep(b"look").await;
    let lent = disk.data.path().join("out_1");
    disk.folder.lend(disk.tenant, id, &lent).await.unwrap();
    assert_eq!(fs::read(&lent).unwrap(), b"look");
    assert!(disk.folder.lend(disk.tenant, id, &lent).await.is_err(), "the name is taken");
    fs::remove_file(&lent).unwrap();
    assert_eq!(disk.read(id).await, b"look");
    let absent = disk.folder.lend(disk.tenant, MediaId::mint(WallTime(9)), &lent).await;
    assert_eq!(absent, Err(FilesError::Absent));
    for _ in 0..2 {
        disk.folder.remove(disk.tenant, id).await.unwrap();
    }
    assert_eq!(disk.folder.has(disk.tenant, id).await, Ok(false));
}
