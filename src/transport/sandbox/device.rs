//! The device record in a session's vault: what a scan earned, and what the next link logs in with.

use serde::{Deserialize, Serialize};
use zeroize::Zeroizing;

use super::wire::DeviceToken;
use crate::domain::session::CloseReason;
use crate::domain::time::WallTime;
use crate::ports::vault::{Change, Vault, VaultError, Writer};

const KIND: &str = "device";
const KEY: &[u8] = b"";
/// Version of the form of the record.
const FORMAT: u32 = 1;

/// JSON, at key `b""` of kind `device`.
#[derive(Serialize, Deserialize)]
struct Device {
    token: DeviceToken,
    paired_at: WallTime,
}

/// Why there is no telling which device this is.
#[derive(Debug)]
pub(super) enum DeviceError {
    /// The vault did not do its work.
    Vault(VaultError),
    /// The record is none of ours.
    Unreadable,
}

impl DeviceError {
    /// What the link closes with. Credentials we cannot read are not void: a person has to look, nothing may loop.
    pub(super) fn reason(&self) -> CloseReason {
        match self {
            Self::Vault(VaultError::Unavailable(_)) => CloseReason::TransportLost,
            Self::Vault(VaultError::Fenced) => CloseReason::Replaced,
            Self::Vault(VaultError::Sealed | VaultError::TooLarge(_)) | Self::Unreadable => {
                CloseReason::Unknown { code: 0 }
            }
        }
    }

    /// A word for the log.
    pub(super) fn word(&self) -> &'static str {
        match self {
            Self::Vault(VaultError::Unavailable(_)) => "vault unavailable",
            Self::Vault(VaultError::Fenced) => "fenced by a newer owner",
            Self::Vault(VaultError::Sealed) => "record cannot be opened",
            Self::Vault(VaultError::TooLarge(_)) => "record beyond the vault's bounds",
            Self::Unreadable => "record is no device",
        }
    }
}

/// How this engine signs a vault it writes.
pub(super) fn writer() -> Writer {
    Writer { engine: "sandbox".to_owned(), version: env!("CARGO_PKG_VERSION").to_owned(), format: FORMAT }
}

/// The stored token; `None` before the first pairing.
pub(super) async fn load(vault: &dyn Vault) -> Result<Option<DeviceToken>, DeviceError> {
    let mut values = vault.get(KIND, &[KEY]).await.map_err(DeviceError::Vault)?;
    let Some(record) = values.pop().flatten() else { return Ok(None) };
    let device: Device = serde_json::from_slice(&record).map_err(|_| DeviceError::Unreadable)?;
    Ok(Some(device.token))
}

/// Stores the token; durable when answered.
pub(super) async fn save(vault: &dyn Vault, token: DeviceToken, at: WallTime) -> Result<(), DeviceError> {
    let device = Device { token, paired_at: at };
    let value = serde_json::to_vec(&device).map_err(|_| DeviceError::Unreadable)?;
    let put = Change::Put { kind: KIND, key: KEY.to_vec(), value: Zeroizing::new(value), expires_at: None };
    vault.commit(vec![put]).await.map_err(DeviceError::Vault)
}
