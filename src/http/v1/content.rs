//! What a message may hold that is to be sent, kind by kind: how it is asked for, and which bounds bind it.

use schemars::JsonSchema;
use serde::Deserialize;
use strum::IntoStaticStr;
use unicode_properties::UnicodeEmoji as _;
use unicode_segmentation::UnicodeSegmentation as _;

use super::attachment::Attachment;
use super::messages::OutboundDraft;
use crate::domain::content::{Card, Contacts, Content, Edit, Location, Poll, Reaction, Revoke, Target};
use crate::domain::id::MessageId;
use crate::domain::media::MediaKind;
use crate::domain::refusal::{Fault, Refusal};
use crate::http::extract::json::Object;

/// Characters of a text.
const BODY: usize = 4_096;
/// Characters of a name, a place, a question.
const LINE: usize = 255;
/// Contact cards of one message.
const CARDS: usize = 20;
/// Bytes of one.
const VCARD: usize = 8_192;
/// Answers of a poll, and characters of one.
const OPTIONS: std::ops::RangeInclusive<usize> = 2..=12;
const OPTION: usize = 100;

/// The kinds of API.md. Only some are sent yet.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, IntoStaticStr)]
#[serde(rename_all = "snake_case")]
#[strum(serialize_all = "snake_case")]
pub(super) enum Kind {
    Text,
    Image,
    Video,
    Audio,
    Document,
    Sticker,
    Location,
    Contacts,
    Reaction,
    Poll,
    Edit,
    Revoke,
    Template,
}

/// A sign to be put on a message.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct NewReaction {
    /// On which: one of this chat.
    message: MessageId,
    /// One emoji; an empty one takes the sign away.
    #[schemars(length(max = 64))]
    emoji: String,
}

/// New text for a message that left at most 15 minutes ago.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct NewEdit {
    /// Which: a text of this chat that was sent from here.
    message: MessageId,
    /// The new text.
    #[schemars(length(min = 1, max = BODY))]
    body: String,
}

/// A message that is to be taken back for everybody, at most 60 hours after it left.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct NewRevoke {
    /// Which: one of this chat that was sent from here.
    message: MessageId,
}

impl OutboundDraft {
    /// What it holds, or the 422 that says that nothing like it is sent. What is not allowed in it goes to `faults`.
    pub(super) fn content(&mut self, faults: &mut Vec<Fault>) -> Result<Content, Refusal> {
        let target = |message| Target { message: Some(message), wa_id: None };
        let content = if let Some(Object(text)) = self.text.take() {
            faults.extend(wrong_text(&text.body, "/text/body"));
            Content::Text(text)
        } else if let Some(Object(place)) = self.location.take() {
            faults.extend(wrong_place(&place, "/location"));
            Content::Location(place)
        } else if let Some(Object(contacts)) = self.contacts.take() {
            faults.extend(wrong_cards(&contacts, "/contacts"));
            Content::Contacts(contacts)
        } else if let Some(Object(poll)) = self.poll.take() {
            faults.extend(wrong_poll(&poll, "/poll"));
            Content::Poll(poll)
        } else if let Some(Object(reaction)) = self.reaction.take() {
            faults.extend(wrong_emoji(&reaction.emoji, "/reaction/emoji"));
            Content::Reaction(Reaction { target: target(reaction.message), emoji: reaction.emoji })
        } else if let Some(Object(edit)) = self.edit.take() {
            faults.extend(wrong_text(&edit.body, "/edit/body"));
            Content::Edit(Edit { target: target(edit.message), body: edit.body })
        } else if let Some(Object(revoke)) = self.revoke.take() {
            Content::Revoke(Revoke { target: target(revoke.message) })
        } else if let Some((kind, Object(file))) = self.file() {
            let (content, wrong) = file.check(kind);
            faults.extend(wrong);
            content
        } else {
            let kind: &str = self.r#type.into();
            return Err(Refusal::unsupported(format!("messages of type {kind} cannot be sent yet")));
        };
        if content.target().is_some() && self.reply_to.is_some() {
            let detail = "what says something about a message answers none";
            faults.push(Fault::new("/reply_to", "not_allowed", detail));
        }
        Ok(content)
    }

    /// The file it carries, if it is of a kind that does.
    fn file(&mut self) -> Option<(MediaKind, Object<Attachment>)> {
        let files = [
            (MediaKind::Image, self.image.take()),
            (MediaKind::Video, self.video.take()),
            (MediaKind::Audio, self.audio.take()),
            (MediaKind::Document, self.document.take()),
            (MediaKind::Sticker, self.sticker.take()),
        ];
        files.into_iter().find_map(|(kind, file)| Some((kind, file?)))
    }
}

/// What is wrong with a text that is to be sent, if anything.
pub(super) fn wrong_text(text: &str, pointer: &str) -> Option<Fault> {
    wrong_words(text, pointer, 1, BODY)
}

fn wrong_words(text: &str, pointer: &str, least: usize, most: usize) -> Option<Fault> {
    if !(least..=most).contains(&text.chars().count()) {
        return Some(Fault::new(pointer, "out_of_range", format!("{least} to {most} characters")));
    }
    text.contains('\0').then(|| Fault::new(pointer, "not_allowed", "no character of it may be NUL"))
}

/// What is wrong with a place.
pub(super) fn wrong_place(place: &Location, pointer: &str) -> Vec<Fault> {
    let degrees = |name: &str, value: f64, most: f64| {
        let detail = format!("-{most} to {most} degrees");
        let wrong = !(-most..=most).contains(&value);
        wrong.then(|| Fault::new(format!("{pointer}/{name}"), "out_of_range", detail))
    };
    let words = |name: &str, text: &Option<String>| {
        text.as_deref().and_then(|text| wrong_words(text, &format!("{pointer}/{name}"), 0, LINE))
    };
    let faults = [
        degrees("latitude", place.latitude, 90.0),
        degrees("longitude", place.longitude, 180.0),
        words("name", &place.name),
        words("address", &place.address),
    ];
    faults.into_iter().flatten().collect()
}

/// What is wrong with contact cards.
pub(super) fn wrong_cards(contacts: &Contacts, pointer: &str) -> Vec<Fault> {
    let pointer = format!("{pointer}/cards");
    if !(1..=CARDS).contains(&contacts.cards.len()) {
        return vec![Fault::new(pointer, "out_of_range", format!("1 to {CARDS} cards"))];
    }
    let wrong = |(index, Card { name, vcard }): (usize, &Card)| {
        let at = |field: &str| format!("{pointer}/{index}/{field}");
        let card = if !(1..=VCARD).contains(&vcard.len()) {
            Some(Fault::new(at("vcard"), "out_of_range", format!("1 to {VCARD} bytes")))
        } else if !vcard.trim_start().starts_with("BEGIN:VCARD") || vcard.contains('\0') {
            Some(Fault::new(at("vcard"), "not_allowed", "expected a vCard 3.0, beginning with BEGIN:VCARD"))
        } else {
            None
        };
        wrong_words(name, &at("name"), 1, LINE).into_iter().chain(card)
    };
    contacts.cards.iter().enumerate().flat_map(wrong).collect()
}

/// What is wrong with a question.
pub(super) fn wrong_poll(poll: &Poll, pointer: &str) -> Vec<Fault> {
    let mut faults: Vec<_> =
        wrong_words(&poll.question, &format!("{pointer}/question"), 1, LINE).into_iter().collect();
    let options = format!("{pointer}/options");
    if !OPTIONS.contains(&poll.options.len()) {
        let detail = format!("{} to {} answers", OPTIONS.start(), OPTIONS.end());
        faults.push(Fault::new(options.clone(), "out_of_range", detail));
    }
    for (index, option) in poll.options.iter().enumerate().take(*OPTIONS.end()) {
        let at = format!("{options}/{index}");
        faults.extend(wrong_words(option, &at, 1, OPTION));
        if poll.options[..index].contains(option) {
            faults.push(Fault::new(at, "not_allowed", "no two answers may be alike"));
        }
    }
    if poll.selectable as usize > poll.options.len() {
        let detail = "at most as many as there are answers; 0 is any number";
        faults.push(Fault::new(format!("{pointer}/selectable"), "out_of_range", detail));
    }
    faults
}

/// What is wrong with a sign: one emoji is none, however many code points it is made of.
pub(super) fn wrong_emoji(text: &str, pointer: &str) -> Option<Fault> {
    let is_emoji = |cluster: &str| {
        let keycap = cluster.ends_with('\u{20e3}');
        keycap || cluster.chars().any(|one| one.is_emoji_char() && !one.is_ascii() && one != '\u{fe0f}')
    };
    let mut clusters = text.graphemes(true);
    let fits = match (clusters.next(), clusters.next()) {
        (None, _) => true,
        (Some(one), None) => text.len() <= 64 && is_emoji(one),
        (Some(_), Some(_)) => false,
    };
    (!fits).then(|| Fault::new(pointer, "not_allowed", "one emoji, or nothing to take the sign away"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_sign_is_one_emoji_or_nothing() {
        for good in ["", "👍", "❤️", "❤", "👍🏽", "👩‍👩‍👧‍👦", "🏳️‍🌈", "🇩🇪", "1️⃣", "🏴󠁧󠁢󠁳󠁣󠁴󠁿"]
        {
            assert_eq!(wrong_emoji(good, "/e"), None, "{good}");
        }
        for bad in ["a", "1", "#", "👍👍", "👍 ", " ", "ok", ":)", "é", "\u{fe0f}", "\u{200d}", "\0"] {
            assert!(wrong_emoji(bad, "/e").is_some(), "{bad:?}");
        }
    }

    fn pointers(faults: impl IntoIterator<Item = Fault>) -> Vec<String> {
        faults.into_iter().map(|fault| fault.pointer).collect()
    }

    #[test]
    fn each_bound_is_named_where_it_is_broken() {
        let place = |latitude, longitude, name: &str| Location {
            latitude,
            longitude,
            name: Some(name.to_owned()),
            address: None,
        };
        assert!(wrong_place(&place(-90.0, 180.0, &"ä".repeat(255)), "/l").is_empty());
        let wrong = wrong_place(&place(90.1, -180.1, &"ä".repeat(256)), "/l");
        assert_eq!(pointers(wrong), ["/l/latitude", "/l/longitude", "/l/name"]);

        let card = |name: &str, vcard: &str| Card { name: name.to_owned(), vcard: vcard.to_owned() };
        let good = card("Ada", "BEGIN:VCARD\nEND:VCARD");
        let cards = |cards: Vec<Card>| wrong_cards(&Contacts { cards }, "/c");
        assert!(cards(vec![good.clone(); 20]).is_empty());
        assert_eq!(pointers(cards(vec![])), ["/c/cards"]);
        assert_eq!(pointers(cards(vec![good.clone(); 21])), ["/c/cards"]);
        let long = card("Ada", &format!("BEGIN:VCARD{}", " ".repeat(8_192)));
        let wrong = cards(vec![good, card("", "BEGIN:VCARD"), card("Ada", "Ada"), long]);
        assert_eq!(pointers(wrong), ["/c/cards/1/name", "/c/cards/2/vcard", "/c/cards/3/vcard"]);

        let poll = |question: &str, options: &[&str], selectable| {
            let options = options.iter().map(|&option| option.to_owned()).collect();
            wrong_poll(&Poll { question: question.to_owned(), options, selectable }, "/p")
        };
        assert!(poll("When?", &["Monday", "Tuesday"], 2).is_empty());
        assert_eq!(pointers(poll("", &["Monday"], 0)), ["/p/question", "/p/options"]);
        assert_eq!(pointers(poll("When?", &["Monday"; 13], 14))[0], "/p/options");
        let wrong = poll("When?", &["Monday", "", "Monday"], 4);
        assert_eq!(pointers(wrong), ["/p/options/1", "/p/options/2", "/p/selectable"]);
    }
}
