//! What leaves through a websocket, in the form in which it leaves (RFC 6455): frames of a server are whole and not
//! masked, so a frame is a short header and its payload. Made once, shared by all who get it.

use std::fmt;
use std::ops::Deref;

use bytes::Bytes;

const TEXT: u8 = 0x81;
const CLOSE: u8 = 0x88;
const PING: u8 = 0x89;
const PONG: u8 = 0x8A;
/// The longest header of ours: no frame of the feed has more than 65,535 bytes.
const HEADER: usize = 4;
/// From this length on the header has two bytes more.
const LONG: usize = 126;
/// The longest payload a ping may have, and so its pong.
const CONTROL: usize = 125;

/// A text, framed. Reads as its text.
#[derive(Clone, PartialEq, Eq)]
pub struct Framed(Bytes);

impl Framed {
    /// Frames the text that `write` appends to an empty buffer. UTF-8, at most 65,535 bytes.
    pub fn of(expected: usize, write: impl FnOnce(&mut Vec<u8>)) -> Self {
        let mut frame = Vec::with_capacity(HEADER + expected);
        frame.extend([0; HEADER]);
        write(&mut frame);
        let length = frame.len() - HEADER;
        debug_assert!(u16::try_from(length).is_ok(), "a frame of {length} bytes");
        if length < LONG {
            frame[2..HEADER].copy_from_slice(&[TEXT, length as u8]);
            return Self(Bytes::from(frame).slice(2..));
        }
        let [high, low] = (length as u16).to_be_bytes();
        frame[..HEADER].copy_from_slice(&[TEXT, LONG as u8, high, low]);
        Self(Bytes::from(frame))
    }

    /// The frame as it goes over the wire.
    pub fn into_bytes(self) -> Bytes {
        self.0
    }

    /// The same in memory of its own, for another thread: threads that count references to one place slow each other.
    pub fn apart(&self) -> Self {
        Self(Bytes::copy_from_slice(&self.0))
    }

    fn payload(&self) -> &[u8] {
        let header = if usize::from(self.0[1]) < LONG { 2 } else { HEADER };
        &self.0[header..]
    }
}

impl Deref for Framed {
    type Target = str;

    fn deref(&self) -> &str {
        std::str::from_utf8(self.payload()).unwrap_or_default()
    }
}

impl fmt::Debug for Framed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(&**self, f)
    }
}

impl From<&str> for Framed {
    fn from(text: &str) -> Self {
        Self::of(text.len(), |frame| frame.extend(text.as_bytes()))
    }
}

impl From<String> for Framed {
    fn from(text: String) -> Self {
        Self::from(text.as_str())
    }
}

impl PartialEq<&str> for Framed {
    fn eq(&self, text: &&str) -> bool {
        **self == **text
    }
}

/// Asks the client to show that it is there.
pub(super) const ASK: Bytes = Bytes::from_static(&[PING, 0]);

/// Answers a ping that carried `payload`.
pub(super) fn pong(payload: &[u8]) -> Bytes {
    let payload = &payload[..payload.len().min(CONTROL)];
    [&[PONG, payload.len() as u8], payload].concat().into()
}

/// The last frame: why the socket is closed.
pub(super) fn close(code: u16) -> Bytes {
    let [high, low] = code.to_be_bytes();
    Bytes::copy_from_slice(&[CLOSE, 2, high, low])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_header_says_how_long_the_text_is() {
        for (length, header) in [
            (0, &[0x81, 0][..]),
            (125, &[0x81, 125]),
            (126, &[0x81, 126, 0, 126]),
            (300, &[0x81, 126, 1, 44]),
        ] {
            let text = "x".repeat(length);
            let framed = Framed::from(text.as_str());
            assert_eq!(&*framed, text);
            assert_eq!(framed.into_bytes(), [header, text.as_bytes()].concat());
        }
    }

    #[test]
    fn what_is_no_text_has_a_header_too() {
        assert_eq!(ASK, &b"\x89\0"[..]);
        assert_eq!(pong(b"abc"), &b"\x8a\x03abc"[..]);
        assert_eq!(pong(&[7; 200]).len(), 127, "no longer than a pong may be");
        assert_eq!(close(1001), &b"\x88\x02\x03\xe9"[..]);
    }
}
