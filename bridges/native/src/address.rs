//! Addresses of the protocol and jids of the library.

use columba_bridge_protocol::Private;
use wacore_binary::{Jid, Server};

/// The jid of an address; `None` when it is none.
pub fn jid(address: &Private) -> Option<Jid> {
    let text = address.as_str();
    if let Some(digits) = text.strip_prefix('+') {
        let formed = (5..=15).contains(&digits.len()) && digits.bytes().all(|byte| byte.is_ascii_digit());
        return formed.then(|| Jid::pn(digits));
    }
    let jid: Jid = text.parse().ok()?;
    matches!(jid.server, Server::Group | Server::Lid).then_some(jid)
}

/// The address of a jid. `alt` is its other name, where the stanza told it: a number, for one that hides it.
pub fn of(jid: &Jid, alt: Option<&Jid>) -> Private {
    let plain = jid.to_non_ad();
    if let Some(number) = [Some(&plain), alt].into_iter().flatten().find(|jid| jid.is_pn()) {
        return Private(format!("+{}", number.user));
    }
    Private(plain.to_string())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_groups_and_hidden_ids_are_addresses_and_nothing_else_is() {
        for (address, wanted) in [
            ("+15551230001", Some("15551230001@s.whatsapp.net")),
            ("120363000000000001@g.us", Some("120363000000000001@g.us")),
            ("100000012345678@lid", Some("100000012345678@lid")),
            ("15551230001", None),
            ("+1555x", None),
            ("status@broadcast", None),
            ("", None),
        ] {
            let found = jid(&address.into()).map(|jid| jid.to_string());
            assert_eq!(found.as_deref(), wanted, "{address}");
        }
        let hidden = Jid::lid("100000012345678");
        assert_eq!(of(&hidden, None).as_str(), "100000012345678@lid");
        assert_eq!(of(&hidden, Some(&Jid::pn("15551230001"))).as_str(), "+15551230001");
        assert_eq!(of(&Jid::pn_device("15551230001", 3), None).as_str(), "+15551230001");
    }
}
