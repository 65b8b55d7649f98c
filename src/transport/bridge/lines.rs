//! Frames on a stream of bytes: one a line, none longer than allowed, in memory that a peer cannot grow.

use std::io;

use columba_bridge_protocol::MAX_FRAME;
use tokio::io::{AsyncRead, AsyncReadExt as _};

/// Read at a time.
const CHUNK: usize = 16 * 1024;
/// A buffer that grew for one long frame is given back.
const KEPT: usize = 64 * 1024;

/// Cuts a stream into lines.
pub struct Lines<R> {
    from: R,
    buffer: Vec<u8>,
    /// Up to here there is no newline.
    searched: usize,
}

/// Why there is no next line.
#[derive(Debug, PartialEq, Eq)]
pub enum End {
    /// The stream ended.
    Closed,
    /// A line is longer than a frame may be.
    TooLong,
}

impl<R: AsyncRead + Unpin> Lines<R> {
    /// Reads from here.
    pub fn new(from: R) -> Self {
        Self { from, buffer: vec![], searched: 0 }
    }

    /// The next line without its newline. Cancel safe: what was read stays.
    pub async fn next(&mut self) -> Result<Vec<u8>, End> {
        loop {
            if let Some(line) = self.cut()? {
                return Ok(line);
            }
            self.buffer.reserve(CHUNK);
            match self.from.read_buf(&mut self.buffer).await {
                Ok(0) => return Err(End::Closed),
                Ok(_) => {}
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(_) => return Err(End::Closed),
            }
        }
    }

    fn cut(&mut self) -> Result<Option<Vec<u8>>, End> {
        let found = self.buffer[self.searched..].iter().position(|&byte| byte == b'\n');
        let Some(at) = found.map(|at| self.searched + at) else {
            self.searched = self.buffer.len();
            return if self.buffer.len() >= MAX_FRAME { Err(End::TooLong) } else { Ok(None) };
        };
        if at >= MAX_FRAME {
            return Err(End::TooLong);
        }
        let rest = self.buffer.split_off(at + 1);
        let mut line = std::mem::replace(&mut self.buffer, rest);
        line.truncate(at);
        self.searched = 0;
        if self.buffer.is_empty() && self.buffer.capacity() > KEPT {
            self.buffer = vec![];
        }
        Ok(Some(line))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn lines_are_cut_wherever_the_reads_end() {
        let text = b"one\n\ntwo and more\nrest";
        for size in 1..text.len() {
            let chunks = text.chunks(size).map(|chunk| io::Result::Ok(chunk.to_vec()));
            let (mut near, far) = tokio::io::duplex(size);
            let chunks: Vec<_> = chunks.collect();
            let write = async move {
                for chunk in chunks {
                    tokio::io::AsyncWriteExt::write_all(&mut near, &chunk.expect("bytes"))
                        .await
                        .expect("room");
                }
            };
            let read = async {
                let mut lines = Lines::new(far);
                let mut found = vec![];
                let end = loop {
                    match lines.next().await {
                        Ok(line) => found.push(String::from_utf8(line).expect("text")),
                        Err(end) => break end,
                    }
                };
                (found, end)
            };
            let ((), (found, end)) = tokio::join!(write, read);
            assert_eq!(found, ["one", "", "two and more"], "in pieces of {size}");
            assert_eq!(end, End::Closed);
        }
    }

    #[tokio::test]
    async fn a_line_without_an_end_is_given_up_at_the_bound() {
        let mut lines = Lines::new(tokio::io::repeat(b'x'));
        assert_eq!(lines.next().await, Err(End::TooLong));
        assert!(lines.buffer.len() < MAX_FRAME + 4 * CHUNK, "no more than a frame is kept");
    }
}
