//! A stage of pairing: accounts whose owner has a passkey may be asked for it before a device is linked.
//!
//! What is known of it is what the native engine's library tells of (whatsapp-rust 0.7.0, `passkey`): WhatsApp asks for a WebAuthn
//! assertion that only the owner's own authenticator can make. Columba passes on where that stands and presents none.

use super::session::Reason;
use super::word::words;

words! {
    /// Where a pairing that a passkey guards stands.
    pub enum PasskeyStage {
        /// WhatsApp asks for the account's passkey.
        Requested,
        /// There is a code to be compared with the one on the phone.
        Confirm,
        /// It did not work.
        Failed,
    }
}

/// What was heard of a passkey while pairing.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Passkey {
    /// Where it stands.
    pub stage: PasskeyStage,
    /// The code to be compared, when it stands there.
    pub code: Option<String>,
}

impl PasskeyStage {
    /// The public word for it.
    pub fn reason(self) -> Reason {
        match self {
            Self::Requested => Reason::PasskeyRequested,
            Self::Confirm => Reason::PasskeyConfirm,
            Self::Failed => Reason::PasskeyFailed,
        }
    }

    /// What the phone's owner has to know and to do.
    pub fn todo(self) -> &'static str {
        match self {
            Self::Requested => {
                "WhatsApp asks for the account's passkey before it links this device. Only its owner has it, and Columba cannot present \
                 it: the owner follows what the phone shows. If nothing there leads on, this number cannot be linked here while \
                 WhatsApp asks for the passkey."
            }
            Self::Confirm => {
                "The phone shows a code. Its owner compares it with this one and goes on only if both are the same."
            }
            Self::Failed => {
                "The passkey was not accepted or the owner did not go on: start the session anew and scan once more."
            }
        }
    }
}
