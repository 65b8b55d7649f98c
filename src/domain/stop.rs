//! What a person says who wants no more messages, or wants them again: a whole message of one of these words, in any case,
//! with or without accents and punctuation, in twelve languages.
//!
//! The English ones are those that carriers prescribe for text messages. The others are what businesses ask people of
//! these languages to answer. A word that mostly means something else, such as "cancel" in other languages, is left out:
//! whoever wants an order canceled wants an answer.

use unicode_normalization::UnicodeNormalization as _;
use unicode_normalization::char::is_combining_mark;

/// What a correspondent wants.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Wish {
    /// No more messages.
    Stop,
    /// Messages again.
    Start,
}

/// Bytes beyond which a text is no such wish, whatever it is written in.
const LONGEST: usize = 128;

/// By language.
const STOP: [(&str, &[&str]); 12] = [
    ("en", &["stop", "stopall", "stop all", "unsubscribe", "cancel", "end", "quit", "opt out", "optout"]),
    ("es", &["alto", "parar", "baja", "darme de baja", "no más mensajes", "cancelar suscripción"]),
    ("pt", &["pare", "sair", "descadastrar", "não quero receber", "cancelar inscrição"]),
    ("fr", &["arrêt", "arrêter", "désabonner", "me désabonner", "désinscription", "se désinscrire"]),
    ("de", &["stopp", "abmelden", "abbestellen", "aufhören", "keine nachrichten mehr"]),
    ("it", &["ferma", "fermare", "basta", "disiscrivi", "annulla iscrizione", "cancellami"]),
    ("nl", &["stoppen", "afmelden", "uitschrijven", "geen berichten meer"]),
    ("tr", &["dur", "durdur", "abonelikten çık", "mesaj istemiyorum"]),
    ("id", &["berhenti", "hentikan", "berhenti langganan", "jangan kirim lagi"]),
    ("hi", &["रोको", "रोकें", "बंद", "बंद करो", "बंद करें", "सदस्यता समाप्त"]),
    ("ar", &["توقف", "إيقاف", "أوقف", "إلغاء الاشتراك"]),
    ("ru", &["стоп", "отписаться", "отпишите", "отписка", "хватит"]),
];

const START: [(&str, &[&str]); 12] = [
    ("en", &["start", "unstop", "subscribe", "resume"]),
    ("es", &["comenzar", "empezar", "reanudar", "suscribir"]),
    ("pt", &["começar", "iniciar", "voltar", "inscrever"]),
    ("fr", &["commencer", "reprendre", "démarrer", "abonner"]),
    ("de", &["starten", "anmelden", "fortsetzen"]),
    ("it", &["inizia", "iniziare", "riprendi", "iscrivi"]),
    ("nl", &["beginnen", "hervatten", "aanmelden"]),
    ("tr", &["başla", "başlat", "devam"]),
    ("id", &["mulai", "lanjutkan", "langganan"]),
    ("hi", &["शुरू", "शुरू करो", "शुरू करें", "चालू करो"]),
    ("ar", &["ابدأ", "بدء", "استئناف", "اشتراك"]),
    ("ru", &["старт", "начать", "подписаться", "возобновить"]),
];

/// What a text says, if it says nothing else.
pub fn wish(text: &str) -> Option<Wish> {
    if text.len() > LONGEST {
        return None;
    }
    let said = plain(text);
    let is_among = |words: &[(&str, &[&str])]| {
        words.iter().flat_map(|(_, words)| *words).any(|word| plain(word) == said)
    };
    if is_among(&STOP) {
        Some(Wish::Stop)
    } else if is_among(&START) {
        Some(Wish::Start)
    } else {
        None
    }
}

/// Lower case, without accents and punctuation, one space between words.
fn plain(text: &str) -> String {
    let letters = text.nfkd().filter(|&letter| !is_accent(letter)).flat_map(char::to_lowercase);
    let letters = letters.map(|letter| match letter {
        'ı' => 'i',
        letter if letter.is_alphanumeric() || is_combining_mark(letter) => letter,
        _ => ' ',
    });
    letters.collect::<String>().split_whitespace().collect::<Vec<_>>().join(" ")
}

/// Marks that people leave out: those of Latin, Greek and Cyrillic letters, Arabic vowels and hamzas. The vowels of
/// Devanagari are marks too, and are none of these.
fn is_accent(letter: char) -> bool {
    matches!(letter, '\u{300}'..='\u{36f}' | '\u{64b}'..='\u{655}' | '\u{670}' | '\u{640}')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_word_is_a_wish_of_its_kind_in_any_dress() {
        for (words, wanted) in [(&STOP, Wish::Stop), (&START, Wish::Start)] {
            for (language, word) in
                words.iter().flat_map(|(language, all)| all.iter().map(move |word| (language, word)))
            {
                for dress in [
                    (*word).to_owned(),
                    word.to_uppercase(),
                    format!("  {word}!! "),
                    format!("\u{201c}{word}\u{201d}."),
                    word.nfd().collect(),
                    word.nfd().filter(|&letter| !is_accent(letter)).collect(),
                ] {
                    assert_eq!(wish(&dress), Some(wanted), "{language}: {dress}");
                }
            }
        }
    }

    #[test]
    fn a_word_within_a_sentence_or_a_word_that_resembles_one_is_no_wish() {
        for text in [
            "",
            "!!",
            "stop it",
            "please stop by at noon",
            "non-stop",
            "yes",
            "end of the month?",
            "रुको मत",
            "cancelar mi pedido",
            &"stop ".repeat(60),
        ] {
            assert_eq!(wish(text), None, "{text}");
        }
    }
}
