//! Prefixed uuidv7 ids: `ses_0192…`. They sort by creation and say what they name.

use std::{borrow::Cow, fmt, str::FromStr, sync::Mutex};

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use thiserror::Error;
use uuid::{ContextV7, Timestamp, Uuid};

use super::time::WallTime;

/// Text that is no id of the wanted kind.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[error("expected an id such as {prefix}019a2b3c4d5e7f808192a3b4c5d6e7f8")]
pub struct NotAnId {
    /// What the id has to begin with.
    pub prefix: &'static str,
}

/// Counts within one millisecond, so that ids minted in a row also sort in a row.
static CONTEXT: Mutex<ContextV7> = Mutex::new(ContextV7::new());

fn mint(at: WallTime) -> Uuid {
    let millis = at.0.max(0) as u64;
    let context = CONTEXT.lock().unwrap_or_else(|poisoned| poisoned.into_inner());
    Uuid::new_v7(Timestamp::from_unix(&*context, millis / 1000, (millis % 1000) as u32 * 1_000_000))
}

macro_rules! id {
    ($(#[$doc:meta])* $name:ident, $prefix:literal) => {
        $(#[$doc])*
        #[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
        pub struct $name(Uuid);

        impl $name {
            /// What the text form begins with.
            pub const PREFIX: &'static str = $prefix;

            /// A new id, dated `at`.
            pub fn mint(at: WallTime) -> Self {
                Self(mint(at))
            }

            /// Below every id dated `at` or later, and above those dated earlier.
            pub fn below(at: WallTime) -> Self {
                let millis = at.0.clamp(0, (1 << 48) - 1).unsigned_abs();
                Self(Uuid::from_u128(u128::from(millis) << 80))
            }

            /// When it was made; the beginning of time for one that was made otherwise.
            pub fn minted_at(self) -> WallTime {
                let (seconds, nanos) = self.0.get_timestamp().map_or((0, 0), |time| time.to_unix());
                WallTime(seconds as i64 * 1_000 + i64::from(nanos / 1_000_000))
            }

            /// The 16 bytes that stores keep.
            pub const fn uuid(self) -> Uuid {
                self.0
            }
        }

        impl From<Uuid> for $name {
            fn from(uuid: Uuid) -> Self {
                Self(uuid)
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                write!(f, "{}{}", $prefix, self.0.as_simple())
            }
        }

        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                fmt::Display::fmt(self, f)
            }
        }

        impl FromStr for $name {
            type Err = NotAnId;

            /// Takes exactly what [`Display`](fmt::Display) writes: the prefix and 32 lower-case hex digits.
            fn from_str(text: &str) -> Result<Self, NotAnId> {
                let digits = text.strip_prefix($prefix).ok_or(NotAnId { prefix: $prefix })?;
                let canonical = |b: u8| b.is_ascii_digit() || (b'a'..=b'f').contains(&b);
                if digits.len() != 32 || !digits.bytes().all(canonical) {
                    return Err(NotAnId { prefix: $prefix });
                }
                Uuid::try_parse(digits).map(Self).map_err(|_| NotAnId { prefix: $prefix })
            }
        }

        impl Serialize for $name {
            fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                serializer.collect_str(self)
            }
        }

        impl<'de> Deserialize<'de> for $name {
            fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                let text = std::borrow::Cow::<'de, str>::deserialize(deserializer)?;
                text.parse().map_err(serde::de::Error::custom)
            }
        }

        impl JsonSchema for $name {
            fn schema_name() -> Cow<'static, str> {
                stringify!($name).into()
            }

            fn json_schema(_: &mut SchemaGenerator) -> Schema {
                json_schema!({
                    "type": "string",
                    "pattern": concat!("^", $prefix, "[0-9a-f]{32}$"),
                    "examples": [concat!($prefix, "019a2b3c4d5e7f808192a3b4c5d6e7f8")],
                })
            }
        }
    };
}

id!(
    /// One customer of the operator.
    TenantId, "ten_"
);
id!(
    /// One connected number of one tenant.
    SessionId, "ses_"
);
id!(
    /// One message, outbound or inbound. Minted once: every attempt carries the same one.
    MessageId, "msg_"
);
id!(
    /// One file that messages carry.
    MediaId, "med_"
);
id!(
    /// One invoice. Its number is another thing.
    InvoiceId, "inv_"
);
id!(
    /// One credit note.
    CreditNoteId, "crn_"
);
id!(
    /// One API key; not the key itself.
    KeyId, "key_"
);
id!(
    /// One webhook endpoint of one tenant.
    WebhookId, "whk_"
);
id!(
    /// One event as webhooks tell it; the `webhook-id` of every attempt to tell it.
    EventId, "evt_"
);
id!(
    /// One event on its way to one endpoint.
    DeliveryId, "dlv_"
);
id!(
    /// One wish of a number for no messages of a tenant.
    SuppressionId, "sup_"
);
id!(
    /// One link with which somebody else links a number; not what opens it.
    PairingLinkId, "plk_"
);
id!(
    /// One operator of this server.
    OperatorId, "opr_"
);
id!(
    /// One place where an operator is signed in.
    SignInId, "sgn_"
);
id!(
    /// One look of an operator at what a tenant's people wrote.
    LookId, "lok_"
);

impl TenantId {
    /// Under which the server's own secrets are sealed, as if it were a tenant. No uuidv7 is all zeros.
    pub const HOUSE: Self = Self(Uuid::nil());
}

impl TenantId {
    /// Stands for all tenants, where a feed is named. No uuidv7 is all zeros.
    pub const FLEET: Self = Self(Uuid::nil());
}

impl OperatorId {
    /// The operator whose token lies in the data directory. No uuidv7 is all zeros.
    pub const ROOT: Self = Self(Uuid::nil());
}
