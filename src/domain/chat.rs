//! With whom a message is exchanged: a person by number, a person whose number is not shown, or a group. Also whoever
//! wrote in a group.

use std::borrow::Cow;
use std::fmt;

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use thiserror::Error;

use super::phone::{Phone, PhoneError};

const GROUP: &str = "@g.us";
const HIDDEN: &str = "@lid";
/// Digits of an address that is no number. WhatsApp's have up to 18, and old groups two parts with a dash.
const DIGITS: usize = 40;

/// Whom a message goes to or comes from.
///
/// `Debug` hides it, as that of a [`Phone`].
#[derive(Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Chat {
    /// A person, by number.
    Person(Phone),
    /// A group: `…@g.us`.
    Group(String),
    /// A person whose number WhatsApp does not show: `…@lid`.
    Hidden(String),
}

/// Text that names no chat.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
pub enum ChatError {
    /// A number, and no possible one.
    #[error(transparent)]
    Phone(#[from] PhoneError),
    /// Something else.
    #[error(
        "expected a number in E.164 such as +15551230001, a group such as 120363000000000001@g.us, or a person without \
         a number such as 100000000000001@lid"
    )]
    Form,
}

impl Chat {
    /// Takes what a tenant wrote: a number that is possible, or an address as the API shows it.
    pub fn parse(text: &str) -> Result<Self, ChatError> {
        match Self::addressed(text) {
            Some(chat) => Ok(chat),
            None if text.contains('@') => Err(ChatError::Form),
            None => Ok(Self::Person(Phone::parse(text)?)),
        }
    }

    /// Takes what a network reported. `None` for what is neither a person nor a group: a broadcast, a channel, rubbish.
    pub fn reported(text: &str) -> Option<Self> {
        let Some(number) = text.strip_prefix('+') else { return Self::addressed(text) };
        let formed = (1..=15).contains(&number.len()) && number.bytes().all(|byte| byte.is_ascii_digit());
        formed.then(|| Self::Person(Phone::stored(text.to_owned())))
    }

    /// Takes what a store kept; it was judged when it came in.
    pub fn stored(text: String) -> Self {
        if text.ends_with(GROUP) {
            Self::Group(text)
        } else if text.ends_with(HIDDEN) {
            Self::Hidden(text)
        } else {
            Self::Person(Phone::stored(text))
        }
    }

    fn addressed(text: &str) -> Option<Self> {
        let formed = |digits: &str| {
            (1..=DIGITS).contains(&digits.len())
                && digits.bytes().all(|byte| byte.is_ascii_digit() || byte == b'-')
                && digits.as_bytes().first().is_some_and(u8::is_ascii_digit)
        };
        if let Some(digits) = text.strip_suffix(GROUP) {
            return formed(digits).then(|| Self::Group(text.to_owned()));
        }
        let digits = text.strip_suffix(HIDDEN)?;
        (formed(digits) && !digits.contains('-')).then(|| Self::Hidden(text.to_owned()))
    }

    /// The text, for answers, rows and frames.
    pub fn as_str(&self) -> &str {
        match self {
            Self::Person(phone) => phone.as_str(),
            Self::Group(address) | Self::Hidden(address) => address,
        }
    }

    /// The number, of a person that has one.
    pub fn person(&self) -> Option<&Phone> {
        match self {
            Self::Person(phone) => Some(phone),
            Self::Group(_) | Self::Hidden(_) => None,
        }
    }

    /// Whether more than one person hears what is said there.
    pub fn is_group(&self) -> bool {
        matches!(self, Self::Group(_))
    }
}

impl From<Phone> for Chat {
    fn from(phone: Phone) -> Self {
        Self::Person(phone)
    }
}

impl fmt::Debug for Chat {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Person(_) => "Person(…)",
            Self::Group(_) => "Group(…)",
            Self::Hidden(_) => "Hidden(…)",
        })
    }
}

impl Serialize for Chat {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.as_str())
    }
}

impl<'de> Deserialize<'de> for Chat {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        String::deserialize(deserializer).map(Self::stored)
    }
}

impl JsonSchema for Chat {
    fn schema_name() -> Cow<'static, str> {
        "Chat".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({
            "type": "string",
            "pattern": "^(\\+[1-9][0-9]{6,14}|[0-9][0-9-]{0,39}@g\\.us|[0-9]{1,40}@lid)$",
            "description": "A person's number in E.164, a group (`…@g.us`), or a person whose number is not shown (`…@lid`).",
            "examples": ["+15551230001", "120363000000000001@g.us"],
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_chat_is_a_possible_number_a_group_or_a_hidden_person() {
        for (text, wanted) in [
            ("+15551230001", Ok("Person(…)")),
            ("+1555123000", Err(ChatError::Phone(PhoneError::Length))),
            ("15551230001", Err(ChatError::Phone(PhoneError::Form))),
            ("", Err(ChatError::Phone(PhoneError::Form))),
            ("120363000000000001@g.us", Ok("Group(…)")),
            ("15551230001-1400000000@g.us", Ok("Group(…)")),
            ("100000000000001@lid", Ok("Hidden(…)")),
            ("100-1@lid", Err(ChatError::Form)),
            ("@g.us", Err(ChatError::Form)),
            ("-1@g.us", Err(ChatError::Form)),
            ("a@g.us", Err(ChatError::Form)),
            ("15551230001@s.whatsapp.net", Err(ChatError::Form)),
            ("status@broadcast", Err(ChatError::Form)),
        ] {
            let read = Chat::parse(text);
            assert_eq!(read.clone().map(|chat| format!("{chat:?}")), wanted.map(str::to_owned), "{text}");
            if let Ok(chat) = read {
                assert_eq!((chat.as_str(), Chat::stored(text.to_owned())), (text, chat.clone()));
                assert_eq!(Chat::reported(text), Some(chat), "{text}");
            }
        }
    }

    #[test]
    fn of_what_a_network_reports_only_people_and_groups_are_chats() {
        // Networks know numbers that no plan of numbers has.
        assert!(Chat::reported("+1555").is_some());
        for text in [
            "",
            "+",
            "+1555x",
            "+1234567890123456",
            "1555",
            "status@broadcast",
            "123@newsletter",
            "\u{661}@lid",
        ] {
            assert_eq!(Chat::reported(text), None, "{text}");
        }
    }
}
