//! What the supervisor asks of an open session.

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use columba_bridge_protocol as wire;
use tokio::time::Instant;
use wacore::iq::keepalive::KeepaliveSpec;
use wacore_binary::{Jid, JidExt as _};
use whatsapp_rust::pair_code::PairCodeOptions;
use whatsapp_rust::{Client, SendError, SendOptions};
use wire::{
    Command, Contact, Content, ErrorCode, Failure, Group, MessageRef, NumberCheck, Private, Quote, Reply,
};

use super::{Session, now_ms};
use crate::content::{self, NotSendable};
use crate::killpoint::{self, Point};
use crate::{address, media};

type Answer = Result<Reply, Failure>;

/// A code that was typed is good for so long.
const PAIR_CODE: Duration = Duration::from_secs(180);
/// Numbers asked for at once.
const NUMBERS: usize = 50;
/// Milliseconds left for a request below the caller's own deadline.
const MARGIN: Duration = Duration::from_millis(200);

fn fail(code: ErrorCode) -> Failure {
    Failure::of(code)
}

fn invalid(why: &'static str) -> Failure {
    Failure::because(ErrorCode::Invalid, why)
}

fn chat(address: &Private) -> Result<Jid, Failure> {
    address::jid(address).ok_or_else(|| invalid("to: +digits, or an id that ends in @g.us or @lid"))
}

impl Session {
    /// Carries out one command, `open` and `close` apart.
    pub async fn carry_out(&self, command: Command, folder: &Path, deadline: Instant) -> Answer {
        match command {
            Command::PairCode { phone } => self.pair_code(&phone).await,
            Command::Send { to, wa_id, content, quote } => {
                self.send(&to, wa_id, &content, quote.as_deref(), folder, deadline).await
            }
            Command::MarkRead { chat, messages } => self.mark_read(&chat, &messages).await,
            Command::Typing { chat: to, active } => {
                let (client, to) = (self.logged_in()?, chat(&to)?);
                let state = client.chatstate();
                let sent =
                    if active { state.send_composing(&to).await } else { state.send_paused(&to).await };
                sent.map(|()| Reply::Done).map_err(|_| fail(ErrorCode::NotSent))
            }
            Command::CheckNumber { phones } => self.check(&phones).await,
            Command::Groups => self.groups().await,
            Command::Contacts { after, limit } => self.contacts(after, limit).await,
            Command::FetchMedia { handle, name, max_bytes } => {
                let client = self.logged_in()?;
                let size = media::fetch(&client, folder, handle.as_slice(), &name, max_bytes).await?;
                Ok(Reply::Media { size })
            }
            Command::Ping => self.ping(deadline).await,
            Command::Stats => Ok(Reply::Stats(self.stats())),
            Command::Open { .. }
            | Command::Close
            | Command::LogOut
            | Command::Drain
            | Command::Shutdown
            | Command::Unknown => Err(fail(ErrorCode::Unsupported)),
        }
    }

    fn logged_in(&self) -> Result<Arc<Client>, Failure> {
        let client = self.client().ok_or_else(|| fail(ErrorCode::NoLink))?;
        if client.is_logged_in() { Ok(client) } else { Err(fail(ErrorCode::NoLink)) }
    }

    async fn pair_code(&self, phone: &Private) -> Answer {
        let client = self.client().ok_or_else(|| fail(ErrorCode::NoLink))?;
        if !self.is_pairing() {
            return Err(fail(ErrorCode::NotPairing));
        }
        let digits = phone.as_str().strip_prefix('+').ok_or_else(|| invalid("phone: + and digits"))?;
        // A new one takes the place of the one before.
        client.cancel_pair_code().await;
        let options = PairCodeOptions { phone_number: digits.to_owned(), ..Default::default() };
        match client.pair_with_code(options).await {
            Ok(code) => Ok(Reply::PairCode {
                code: Private(code.replace('-', "")),
                expires_in_ms: PAIR_CODE.as_millis() as u32,
            }),
            // WhatsApp says 400 for a number it does not like and for one that asks too often.
            Err(error) => Err(Failure {
                until_ms: error.backoff().map(|pause| now_ms() + pause.as_millis() as i64),
                ..Failure::because(
                    ErrorCode::RateLimited,
                    "WhatsApp gave no code: a wrong number, or too many of late",
                )
            }),
        }
    }

    async fn send(
        &self,
        to: &Private,
        wa_id: String,
        content: &Content,
        quote: Option<&Quote>,
        folder: &Path,
        deadline: Instant,
    ) -> Answer {
        let client = self.logged_in()?;
        let to = chat(to)?;
        if wa_id.is_empty() || wa_id.len() > 128 || !wa_id.bytes().all(|byte| byte.is_ascii_alphanumeric()) {
            return Err(invalid("wa_id: 1 to 128 letters and digits"));
        }
        let context = quote
            .map(|quote| content::context(&to, client.pn().as_ref(), quote))
            .transpose()
            .map_err(refused)?;
        let message = match content {
            Content::Media { media: kind, file, caption } => {
                let upload = media::upload(&client, folder, *kind, file).await?;
                media::message(*kind, file, caption.as_ref(), upload, context)
            }
            other => content::message(&to, other, context, now_ms()).map_err(refused)?,
        };
        if Instant::now() >= deadline {
            return Err(fail(ErrorCode::Late));
        }
        self.expect_ack(&wa_id);
        let options = SendOptions::default().with_message_id(wa_id.clone());
        killpoint::hit(Point::SendBefore);
        let sent = client.send_message_with_options(to, message, options).await;
        killpoint::hit(Point::SendAfter);
        sent.map(|_| Reply::Sent).map_err(|error| {
            let failure = unsent(&error);
            if failure.code != ErrorCode::Uncertain {
                self.forget_ack(&wa_id);
            }
            failure
        })
    }

    async fn mark_read(&self, to: &Private, messages: &[MessageRef]) -> Answer {
        let (client, to) = (self.logged_in()?, chat(to)?);
        let author = messages.first().and_then(|message| message.author.as_ref());
        if messages.iter().any(|message| message.author.as_ref() != author) {
            return Err(invalid("messages: all by one author"));
        }
        let author = author.map(chat).transpose()?;
        let ids: Vec<&str> = messages.iter().map(|message| message.wa_id.as_str()).collect();
        let author = author.as_ref().filter(|_| to.is_group());
        let sent = client.mark_as_read(&to, author, &ids).await;
        sent.map(|()| Reply::Done).map_err(|_| fail(ErrorCode::NotSent))
    }

    async fn check(&self, phones: &[Private]) -> Answer {
        let client = self.logged_in()?;
        if phones.len() > NUMBERS {
            return Err(invalid("phones: at most 50"));
        }
        let jids: Vec<Jid> = phones
            .iter()
            .map(|phone| {
                address::jid(phone).filter(Jid::is_pn).ok_or_else(|| invalid("phones: + and digits"))
            })
            .collect::<Result<_, _>>()?;
        let found = client.contacts().is_on_whatsapp(&jids).await.map_err(|error| asked(&error))?;
        let check = |(phone, jid): (&Private, &Jid)| {
            let is_it = |found: &&whatsapp_rust::features::IsOnWhatsAppResult| {
                found.jid.user == jid.user || found.pn_jid.as_ref().is_some_and(|pn| pn.user == jid.user)
            };
            let exists = found.iter().find(is_it).is_some_and(|found| found.is_registered);
            NumberCheck { phone: phone.clone(), exists, address: exists.then(|| phone.clone()) }
        };
        Ok(Reply::Numbers { numbers: phones.iter().zip(&jids).map(check).collect() })
    }

    async fn groups(&self) -> Answer {
        let client = self.logged_in()?;
        let (me, my_lid) = (client.pn(), client.lid());
        let groups = client.groups().get_participating().await.map_err(|error| asked(&error))?;
        let is_me = |jid: &Jid| [&me, &my_lid].into_iter().flatten().any(|mine| mine.user == jid.user);
        let group = |(jid, data): (&Jid, &whatsapp_rust::features::GroupMetadata)| Group {
            id: Private(jid.to_string()),
            subject: Private(data.subject.clone()),
            participants: data.participants.len() as u32,
            admin: data.participants.iter().any(|member| is_me(&member.jid) && member.is_admin()),
        };
        let mut groups: Vec<Group> = groups.iter().map(group).collect();
        groups.sort_by(|one, other| one.id.cmp(&other.id));
        Ok(Reply::Groups { groups })
    }

    /// Whoever a number and a hidden id are known of: those that were written to or wrote.
    async fn contacts(&self, after: Option<Private>, limit: u32) -> Answer {
        let client = self.client().ok_or_else(|| fail(ErrorCode::NoLink))?;
        if !(1..=500).contains(&limit) {
            return Err(invalid("limit: 1 to 500"));
        }
        let backend = client.persistence_manager().backend();
        let known = backend.get_all_lid_mappings().await.map_err(|_| fail(ErrorCode::NoLink))?;
        let mut all: Vec<Private> =
            known.iter().map(|entry| Private(format!("+{}", entry.phone_number))).collect();
        all.sort();
        let from = after.map_or(0, |after| all.partition_point(|address| *address <= after));
        let page: Vec<_> = all.iter().skip(from).take(limit as usize).cloned().collect();
        let more = from + page.len() < all.len();
        let contacts = page.into_iter().map(|address| Contact { address, name: None }).collect();
        Ok(Reply::Contacts { contacts, more })
    }

    async fn ping(&self, deadline: Instant) -> Answer {
        let client = self.logged_in()?;
        let begun = Instant::now();
        let limit = deadline.saturating_duration_since(begun).saturating_sub(MARGIN);
        let asked = client.execute(KeepaliveSpec::with_timeout(limit)).await;
        asked.map_err(|_| fail(ErrorCode::NoLink))?;
        Ok(Reply::Pong { millis: begun.elapsed().as_millis() as u32 })
    }
}

fn refused(why: NotSendable) -> Failure {
    match why {
        NotSendable::Unsupported => fail(ErrorCode::Unsupported),
        NotSendable::Invalid(why) => invalid(why),
    }
}

/// Whether something may have left. Requests before the message (devices, keys, group) are over when it is written.
fn unsent(error: &SendError) -> Failure {
    use whatsapp_rust::ClientError as C;
    match error {
        SendError::NotLoggedIn | SendError::Client(C::NotConnected | C::NotLoggedIn) => {
            fail(ErrorCode::NoLink)
        }
        SendError::Iq(error) | SendError::Client(C::Iq(error)) => {
            Failure { code: ErrorCode::NotSent, ..asked(error) }
        }
        SendError::InvalidRequest(_) => invalid("the library does not send such a message"),
        _ => fail(ErrorCode::Uncertain),
    }
}

fn asked(error: &(impl std::error::Error + 'static)) -> Failure {
    use whatsapp_rust::ErrorChainExt as _;
    match error.server_rejection() {
        Some(rejection) => Failure {
            server_code: Some(rejection.code),
            until_ms: rejection.backoff.map(|secs| now_ms() + i64::from(secs) * 1_000),
            ..fail(if rejection.code == 429 { ErrorCode::RateLimited } else { ErrorCode::Refused })
        },
        None => fail(ErrorCode::NoLink),
    }
}
