//! Devices of accounts, and their names on the wire.

use std::fmt;

use wacore_binary::Jid;

/// A device of an account. Device 0 is the phone, which the testbed plays itself; the others are companions.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Seat {
    /// The account's phone number, digits only.
    pub phone: u64,
    /// The device's number within the account.
    pub device: u16,
}

impl Seat {
    /// The phone of the account.
    #[must_use]
    pub fn phone(phone: u64) -> Self {
        Self { phone, device: 0 }
    }
}

impl fmt::Display for Seat {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}", self.phone, self.device)
    }
}

/// How WhatsApp names a user: by number, or by a number that hides it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Addressing {
    Pn,
    Lid,
}

/// An account's two names.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Person {
    pub phone: u64,
    pub lid: u64,
    pub name: String,
}

impl Person {
    /// The name of a device under one of the two addressings.
    pub fn jid(&self, device: u16, addressing: Addressing) -> Jid {
        match addressing {
            Addressing::Pn => Jid::pn_device(self.phone.to_string(), device),
            Addressing::Lid => Jid::lid_device(self.lid.to_string(), device),
        }
    }
}

/// Which of the two namings a jid uses.
pub(crate) fn addressing(jid: &Jid) -> Addressing {
    if jid.is_lid() { Addressing::Lid } else { Addressing::Pn }
}
