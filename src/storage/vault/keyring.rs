//! Two levels of keys. Each tenant's data key lies beside the data, wrapped by the operator's key-encryption key (KEK),
//! which does not: destroying the wrapped key destroys every state of the tenant, in every backup too.

use std::collections::HashMap;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError, Weak};
use std::{fs, io};

use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};
use zeroize::Zeroizing;

use super::files;
use super::seal::Key;
use crate::domain::id::TenantId;
use crate::ports::vault::VaultError;

const FILE: &str = "data.key";
const VERSION: u32 = 1;

/// What a tenant's `data.key` holds, on one line.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Wrapped {
    version: u32,
    /// Which KEK opens it.
    kek_id: String,
    /// The data key, sealed for this tenant; hex.
    wrapped: String,
}

struct Kek {
    key: Key,
    /// Eight hex digits that name the key and tell nothing about it.
    id: String,
}

/// The tenants' data keys. Its calls read and write files: not for an async thread.
pub struct Keyring {
    tenants: PathBuf,
    kek: Kek,
    /// Keys in use. A key is in memory only while somebody holds it.
    held: Mutex<HashMap<TenantId, Weak<Key>>>,
}

impl Keyring {
    /// Reads the KEK, or makes one if neither it nor anything wrapped by it exists. `tenants` has to exist.
    pub fn open(tenants: PathBuf, key_file: &Path) -> Result<Self, VaultError> {
        let kek = match read_kek(key_file)? {
            Some(kek) => kek,
            None => match any_wrapped(&tenants)? {
                None => make_kek(key_file)?,
                Some(wrapped) => return Err(missing(key_file, &wrapped)),
            },
        };
        if let Some(wrapped) = any_wrapped(&tenants)? {
            kek.has_wrapped(&wrapped)?;
        }
        Ok(Self { tenants, kek, held: Mutex::default() })
    }

    /// A tenant's data key; made at first use.
    pub fn of(&self, tenant: TenantId) -> Result<Arc<Key>, VaultError> {
        // Held over the files too: two first uses must not make two keys.
        let mut held = self.held.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(key) = held.get(&tenant).and_then(Weak::upgrade) {
            return Ok(key);
        }
        let path = self.path(tenant);
        let key = Arc::new(match read_wrapped(&path)? {
            Some(wrapped) => self.unwrap(tenant, &wrapped)?,
            None => self.make(tenant, &path)?,
        });
        held.retain(|_, key| key.strong_count() > 0);
        held.insert(tenant, Arc::downgrade(&key));
        Ok(key)
    }

    /// Destroys a tenant's data key. Idempotent.
    pub fn destroy(&self, tenant: TenantId) -> Result<(), VaultError> {
        let mut held = self.held.lock().unwrap_or_else(PoisonError::into_inner);
        held.remove(&tenant);
        let path = self.path(tenant);
        files::remove(&path).map_err(|error| failed("remove", &path, &error))
    }

    fn path(&self, tenant: TenantId) -> PathBuf {
        self.tenants.join(tenant.to_string()).join(FILE)
    }

    fn make(&self, tenant: TenantId, path: &Path) -> Result<Key, VaultError> {
        let key = Key::mint();
        let wrapped = Wrapped {
            version: VERSION,
            kek_id: self.kek.id.clone(),
            wrapped: hex::encode(self.kek.key.seal(&address(tenant), key.expose())),
        };
        let mut line =
            serde_json::to_vec(&wrapped).map_err(|error| unavailable(format!("data key: {error}")))?;
        line.push(b'\n');
        let dir = self.tenants.join(tenant.to_string());
        files::private_dir(&dir).map_err(|error| failed("make", &dir, &error))?;
        files::write_whole(path, &line).map_err(|error| failed("write", path, &error))?;
        Ok(key)
    }

    fn unwrap(&self, tenant: TenantId, wrapped: &Wrapped) -> Result<Key, VaultError> {
        self.kek.has_wrapped(wrapped)?;
        let sealed = hex::decode(&wrapped.wrapped).map_err(|_| VaultError::Sealed)?;
        let key = self.kek.key.open(&address(tenant), &sealed).ok_or(VaultError::Sealed)?;
        Key::of(&key).ok_or(VaultError::Sealed)
    }
}

impl Kek {
    fn new(key: Key) -> Self {
        let hash = Sha256::new().chain_update(b"columba kek id").chain_update(key.expose()).finalize();
        Self { id: hex::encode(&hash[..4]), key }
    }

    fn has_wrapped(&self, wrapped: &Wrapped) -> Result<(), VaultError> {
        if wrapped.version != VERSION {
            return Err(unavailable(format!("a data key of version {} is not known here", wrapped.version)));
        }
        if wrapped.kek_id == self.id {
            return Ok(());
        }
        Err(unavailable(format!(
            "wrong key file: it holds key-encryption key {}, and tenants' keys are wrapped with {}",
            self.id, wrapped.kek_id
        )))
    }
}

/// How the key file stands, without making or changing anything.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum KeyFile {
    /// There is none, and nothing was sealed with one: the first start makes it.
    Absent,
    /// There is one, and it opens what was sealed.
    Good,
}

/// Looks at the key file and at what tenants' keys were wrapped with. The error says what is wrong with them.
pub fn look(tenants: &Path, key_file: &Path) -> Result<KeyFile, VaultError> {
    let wrapped = if tenants.is_dir() { any_wrapped(tenants)? } else { None };
    match (read_kek(key_file)?, wrapped) {
        (None, None) => Ok(KeyFile::Absent),
        (None, Some(wrapped)) => Err(missing(key_file, &wrapped)),
        (Some(_), None) => Ok(KeyFile::Good),
        (Some(kek), Some(wrapped)) => kek.has_wrapped(&wrapped).map(|()| KeyFile::Good),
    }
}

fn missing(key_file: &Path, wrapped: &Wrapped) -> VaultError {
    unavailable(format!(
        "the key file {} is missing, and tenants' keys are wrapped with key-encryption key {}; put it back",
        key_file.display(),
        wrapped.kek_id
    ))
}

/// What a data key is sealed for: the file of another tenant does not open.
fn address(tenant: TenantId) -> String {
    format!("tenants/{tenant}/{FILE}")
}

fn read_kek(path: &Path) -> Result<Option<Kek>, VaultError> {
    let text = match fs::read_to_string(path) {
        Ok(text) => Zeroizing::new(text),
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(failed("read", path, &error)),
    };
    let bytes = hex::decode(text.trim()).map(Zeroizing::new).ok();
    match bytes.and_then(|bytes| Key::of(&bytes)) {
        Some(key) => Ok(Some(Kek::new(key))),
        None => Err(unavailable(format!("the key file {} has to hold 64 hex digits", path.display()))),
    }
}

fn make_kek(path: &Path) -> Result<Kek, VaultError> {
    let kek = Kek::new(Key::mint());
    let text = Zeroizing::new(hex::encode(kek.key.expose()) + "\n");
    files::write_whole(path, text.as_bytes()).map_err(|error| failed("write", path, &error))?;
    tracing::info!(kek = kek.id, path = %path.display(), "made a key-encryption key; keep a copy apart from the data");
    Ok(kek)
}

fn read_wrapped(path: &Path) -> Result<Option<Wrapped>, VaultError> {
    match fs::read(path) {
        Ok(line) => serde_json::from_slice(&line)
            .map(Some)
            .map_err(|error| unavailable(format!("{} cannot be read: {error}", path.display()))),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(failed("read", path, &error)),
    }
}

/// The first wrapped key found, so that a wrong KEK is named at start and not by each session on its own.
fn any_wrapped(tenants: &Path) -> Result<Option<Wrapped>, VaultError> {
    for entry in fs::read_dir(tenants).map_err(|error| failed("read", tenants, &error))? {
        let entry = entry.map_err(|error| failed("read", tenants, &error))?;
        if let Some(wrapped) = read_wrapped(&entry.path().join(FILE))? {
            return Ok(Some(wrapped));
        }
    }
    Ok(None)
}

pub(super) fn failed(what: &str, path: &Path, error: &io::Error) -> VaultError {
    unavailable(format!("cannot {what} {}: {error}", path.display()))
}

fn unavailable(why: String) -> VaultError {
    VaultError::Unavailable(why)
}
