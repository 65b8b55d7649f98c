//! Messages that only an account's own phone may send, from the phone of another: sealed as any message is, so that only
//! what they say gives them away. Whoever believes one lets strangers into its state.

use buffa::MessageField;
use serde::Deserialize;
use waproto::whatsapp as wa;

use crate::accounts;
use crate::error::Result;
use crate::phone::message_id;
use crate::relay::{self, Letter};
use crate::seal;
use crate::seat::{Addressing, Seat};
use crate::world::Turn;

/// What is forged.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case", deny_unknown_fields)]
pub enum Forgery {
    /// A key for app state, as a phone shares it with its companions.
    KeyShare,
    /// A companion's request for such keys.
    KeyRequest,
    /// The news that a history can be downloaded, with its beginning.
    HistorySync,
    /// The news that app state is beyond repair.
    AppStateFatal,
    /// "A message of yours, written on another device": the victim would have written it.
    DeviceSent,
    /// The end of a message that the victim wrote.
    Revoke {
        /// Its id.
        id: String,
    },
    /// Other words for a message that the victim wrote.
    Edit {
        /// Its id.
        id: String,
    },
}

/// Sends one from `phone` to each companion of `to`: as an ordinary message, and once more marked as the word of a peer.
pub(crate) fn send(turn: &mut Turn<'_>, phone: u64, to: u64, forgery: &Forgery) -> Result<Vec<String>> {
    let account = accounts::open(turn.db, phone)?;
    let victim = accounts::known(turn.db, to)?;
    let message = forged(turn, phone, &victim.jid(0, Addressing::Pn).to_string(), forgery);
    let chat = victim.jid(0, Addressing::Pn);
    let mut ids = Vec::new();
    for category in [None, Some("peer")] {
        let id = message_id();
        for device in accounts::companions(turn.db, to)? {
            let seat = Seat { phone: to, device };
            let Some(sealed) = seal::seal(turn, &account, seat, &message)? else { continue };
            let extra = category.map(|category| ("category", category.to_owned())).into_iter().collect();
            let from = Seat::phone(phone);
            let sender = &account.person;
            let letter = Letter { id: &id, from, sender, to: &chat, kind: "text", extra, shared: Vec::new() };
            relay::deliver(turn, &letter, seat, &victim, Addressing::Pn, vec![sealed])?;
        }
        ids.push(id);
    }
    Ok(ids)
}

fn forged(turn: &Turn<'_>, phone: u64, victim: &str, forgery: &Forgery) -> wa::Message {
    use wa::message::protocol_message::Type;
    use wa::message::{
        AppStateFatalExceptionNotification, AppStateSyncKey, AppStateSyncKeyData, AppStateSyncKeyFingerprint,
        AppStateSyncKeyId, AppStateSyncKeyRequest, AppStateSyncKeyShare, DeviceSentMessage,
        HistorySyncNotification, ProtocolMessage,
    };

    let id = || MessageField::some(AppStateSyncKeyId { key_id: Some(vec![0, 0, 0, 0, 0, 66]) });
    let theirs = |id: &str| {
        MessageField::some(wa::MessageKey {
            remote_jid: Some(victim.to_owned()),
            from_me: Some(false),
            id: Some(id.to_owned()),
            participant: Some(victim.to_owned()),
        })
    };
    let text = |body: &str| wa::Message { conversation: Some(body.to_owned()), ..Default::default() };
    let protocol = match forgery {
        Forgery::DeviceSent => {
            return wa::Message {
                device_sent_message: MessageField::some(DeviceSentMessage {
                    destination_jid: Some(victim.to_owned()),
                    message: MessageField::some(text("forged: written by the victim")),
                    ..Default::default()
                }),
                ..Default::default()
            };
        }
        Forgery::KeyShare => ProtocolMessage {
            r#type: Some(Type::AppStateSyncKeyShare),
            app_state_sync_key_share: MessageField::some(AppStateSyncKeyShare {
                keys: vec![AppStateSyncKey {
                    key_id: id(),
                    key_data: MessageField::some(AppStateSyncKeyData {
                        key_data: Some(vec![66; 32]),
                        fingerprint: MessageField::some(AppStateSyncKeyFingerprint {
                            raw_id: Some(accounts::raw_id(phone)),
                            current_index: Some(1),
                            device_indexes: vec![0, 1],
                        }),
                        timestamp: Some(turn.now),
                    }),
                }],
            }),
            ..Default::default()
        },
        Forgery::KeyRequest => ProtocolMessage {
            r#type: Some(Type::AppStateSyncKeyRequest),
            app_state_sync_key_request: MessageField::some(AppStateSyncKeyRequest {
                key_ids: vec![AppStateSyncKeyId { key_id: Some(vec![0, 0, 0, 0, 0, 1]) }],
            }),
            ..Default::default()
        },
        Forgery::HistorySync => ProtocolMessage {
            r#type: Some(Type::HistorySyncNotification),
            history_sync_notification: MessageField::some(HistorySyncNotification {
                initial_hist_bootstrap_inline_payload: Some(vec![0x78, 0x9c, 0x03, 0, 0, 0, 0, 1]),
                chunk_order: Some(1),
                progress: Some(100),
                ..Default::default()
            }),
            ..Default::default()
        },
        Forgery::AppStateFatal => ProtocolMessage {
            r#type: Some(Type::AppStateFatalExceptionNotification),
            app_state_fatal_exception_notification: MessageField::some(AppStateFatalExceptionNotification {
                collection_names: vec!["regular".to_owned(), "critical_block".to_owned()],
                timestamp: Some(turn.now),
            }),
            ..Default::default()
        },
        Forgery::Revoke { id } => {
            ProtocolMessage { r#type: Some(Type::Revoke), key: theirs(id), ..Default::default() }
        }
        Forgery::Edit { id } => ProtocolMessage {
            r#type: Some(Type::MessageEdit),
            key: theirs(id),
            edited_message: MessageField::some(text("forged: other words")),
            timestamp_ms: Some(turn.now),
            ..Default::default()
        },
    };
    wa::Message { protocol_message: MessageField::some(protocol), ..Default::default() }
}
