//! Questions to a bridge and its answers, in the protocol's words. An answer that does not fit its question is none.

use columba_bridge_protocol as wire;
use wire::{Command, MessageRef, Private, Reply};

use super::words::address;
use crate::domain::chat::Chat;
use crate::ports::questions::{Acquaintance, Answer, Group, Question};

/// As a command.
pub fn command(question: &Question) -> Command {
    match question {
        Question::Groups => Command::Groups,
        Question::Contacts { after, limit } => {
            Command::Contacts { after: after.as_deref().map(Private::from), limit: *limit }
        }
        Question::Numbers(phones) => Command::CheckNumber {
            phones: phones.iter().map(|phone| Private::from(phone.as_str())).collect(),
        },
        Question::MarkRead { chat, messages } => Command::MarkRead {
            chat: address(chat),
            messages: messages
                .iter()
                .map(|mark| MessageRef {
                    wa_id: mark.wa_id.0.clone(),
                    from_me: false,
                    author: mark.author.as_ref().map(address),
                })
                .collect(),
        },
        Question::Typing { chat, active } => Command::Typing { chat: address(chat), active: *active },
    }
}

/// What a reply says to it. Addresses that name neither a person nor a group are left out.
pub fn answer(question: &Question, reply: Reply) -> Option<Answer> {
    match (question, reply) {
        (Question::Groups, Reply::Groups { groups }) => {
            let group = |group: wire::Group| {
                let chat = Chat::reported(group.id.as_str()).filter(Chat::is_group)?;
                let wire::Group { subject, participants, admin, .. } = group;
                Some(Group { chat, subject: subject.0, participants, admin })
            };
            Some(Answer::Groups(groups.into_iter().filter_map(group).collect()))
        }
        (Question::Contacts { .. }, Reply::Contacts { contacts, more }) => {
            let known = |contact: wire::Contact| {
                let chat = Chat::reported(contact.address.as_str())?;
                Some(Acquaintance { chat, name: contact.name.map(|name| name.0) })
            };
            Some(Answer::Contacts { contacts: contacts.into_iter().filter_map(known).collect(), more })
        }
        (Question::Numbers(phones), Reply::Numbers { numbers }) => {
            let asked = phones.iter().map(|phone| phone.as_str());
            let in_order = asked.eq(numbers.iter().map(|number| number.phone.as_str()));
            in_order.then(|| Answer::Numbers(numbers.iter().map(|number| number.exists).collect()))
        }
        (Question::MarkRead { .. } | Question::Typing { .. }, Reply::Done) => Some(Answer::Done),
        _ => None,
    }
}
