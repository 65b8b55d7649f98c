//! One socket: WebSocket upgrade, Noise handshake, then frames both ways until somebody ends it. Whatever a client
//! sends is bounded; what cannot be read ends the socket and nothing else.

use std::convert::Infallible;
use std::sync::Arc;
use std::time::Duration;

use bytes::{Bytes, BytesMut};
use futures_util::stream::{SplitSink, SplitStream};
use futures_util::{SinkExt as _, StreamExt as _};
use tokio::net::TcpStream;
use tokio::sync::mpsc;
use tokio::time::timeout;
use tokio_websockets::{CloseCode, Limits, Message, ServerBuilder, WebSocketStream};
use wacore_binary::consts::WA_CONN_HEADER;
use wacore_noise::NoiseCipher;
use wacore_noise::framing::{FrameDecoder, encode_frame};

use crate::error::{Error, Result, protocol};
use crate::frame_log::{self, Direction, Line};
use crate::noise::{Answer, Opened, Pattern};
use crate::world::{Conn, ConnId, OUTBOX, Out, World};
use crate::{failures, iq, login, offline, relay};

/// The longest frame and the longest message of the WebSocket. The largest honest one is an upload of pre-keys, 45 KiB.
const MAX_FRAME: usize = 1 << 20;
/// A client that has not finished its handshake by then is dropped.
const HANDSHAKE: Duration = Duration::from_secs(20);
/// A client that sends nothing for so long is dropped; honest ones ping twice a minute.
const SILENCE: Duration = Duration::from_secs(600);

type Socket = WebSocketStream<TcpStream>;

/// Serves a connection until it ends.
pub(crate) async fn serve(world: Arc<World>, tcp: TcpStream) {
    if world.read(|_, live| Ok(failures::refuses_connections(live))).unwrap_or(false) {
        return;
    }
    let id = world.next_conn();
    let Err(error) = run(&world, id, tcp).await;
    tracing::debug!(conn = id, %error, "socket ended");
    if let Err(error) = world.turn(|turn| login::closed(turn, id, &error.to_string())) {
        tracing::warn!(conn = id, %error, "the end of a socket was not written down");
    }
}

/// Runs until the socket ends, which is always an error: its text says who ended it.
async fn run(world: &Arc<World>, id: ConnId, tcp: TcpStream) -> Result<Infallible> {
    tcp.set_nodelay(true)?;
    let opening = async {
        let builder = ServerBuilder::new().limits(Limits::default().max_payload_len(Some(MAX_FRAME)));
        let (_request, socket) = builder.accept(tcp).await.map_err(protocol)?;
        let (mut sink, stream) = socket.split();
        let mut frames = Frames { stream, decoder: FrameDecoder::new(), waiting: 0, begun: false };
        let opened = handshake(world, &mut sink, &mut frames).await?;
        Ok::<_, Error>((sink, frames, opened))
    };
    let opened = timeout(HANDSHAKE, opening).await.map_err(|_| protocol("no handshake in time"))?;
    let (sink, mut frames, opened) = opened?;
    let Opened { from_client, to_client, client, payload, pattern } = opened;

    let (out, outbox) = mpsc::channel(OUTBOX);
    let mut writer = tokio::spawn(write(sink, outbox, to_client));
    world.turn(|turn| {
        turn.live.conns.insert(id, Conn { out, seat: None, drain: None, ending: false, mute: None });
        let how = if pattern == Pattern::Ik { "ik" } else { "xx" };
        turn.note(id, None, "handshake", Some(how))
    })?;
    login::settle_predecessor(world, &payload).await;
    world.turn(|turn| login::open(turn, id, &payload, &client))?;

    let reading = async {
        for counter in 0..u32::MAX {
            let mut frame = frames.next().await?;
            from_client.decrypt_in_place_with_counter(counter, &mut frame).map_err(protocol)?;
            let plain = wacore_binary::util::unpack_bytes(frame).map_err(protocol)?;
            let node = wacore_binary::marshal::unmarshal_ref(&plain).map_err(protocol)?.to_owned();
            handle(world, id, &node)?;
        }
        Err(protocol("as many frames as a counter counts"))
    };
    let (result, written) = tokio::select! {
        result = reading => (result, false),
        _ = &mut writer => (Err(protocol("ended by the testbed")), true),
    };
    // Without a sender the writer ends after what the testbed still has to say, a stream error perhaps.
    if let Err(error) = &result {
        world.turn(|turn| login::closed(turn, id, &error.to_string()))?;
    }
    if !written && timeout(Duration::from_secs(1), &mut writer).await.is_err() {
        writer.abort();
    }
    result
}

/// One stanza of a client. A stanza that breaks the protocol is written down and ends the socket.
fn handle(world: &Arc<World>, id: ConnId, node: &wacore_binary::Node) -> Result<()> {
    let handled = world.turn(|turn| {
        let seat = turn.seat(id);
        let line = Line { at: turn.now, conn: id, seat, direction: Direction::In, detail: None };
        frame_log::stanza(turn.db, line, node)?;
        let deaf = turn.live.conns.get(&id).is_none_or(|conn| conn.ending || conn.mute.is_some());
        if deaf {
            return Ok(());
        }
        match (node.tag.as_ref(), seat) {
            ("iq", _) => iq::on_iq(turn, id, node),
            ("message", Some(seat)) => relay::on_message(turn, id, seat, node),
            ("receipt", Some(seat)) => crate::receipts::on_receipt(turn, id, seat, node),
            ("ack", Some(seat)) => offline::on_ack(turn, seat, node),
            ("ib", Some(seat)) => offline::on_ib(turn, id, seat, node),
            ("chatstate", Some(seat)) => relay::on_chatstate(turn, seat, node),
            ("message" | "receipt", None) => Err(protocol("not logged in")),
            // Presence, statistics, calls and what nobody knows: the log has them.
            _ => Ok(()),
        }
    });
    if let Err(error) = &handled {
        let text = error.to_string();
        world.turn(|turn| {
            let line = Line {
                at: turn.now,
                conn: id,
                seat: turn.seat(id),
                direction: Direction::In,
                detail: Some(&text),
            };
            frame_log::stanza(turn.db, line, node)
        })?;
    }
    handled
}

async fn handshake(
    world: &Arc<World>,
    sink: &mut SplitSink<Socket, Message>,
    frames: &mut Frames,
) -> Result<Opened> {
    let hello = frames.next().await?;
    let (answer, greeted) = match world.keys.answer(&hello)? {
        Answer::Continue(answer, greeted) => (answer, Ok(greeted)),
        Answer::Done(answer, opened) => (answer, Err(opened)),
    };
    let framed = encode_frame(&answer, None).map_err(protocol)?;
    sink.send(Message::binary(framed)).await.map_err(protocol)?;
    match greeted {
        Ok(greeted) => greeted.finish(&frames.next().await?),
        Err(opened) => Ok(*opened),
    }
}

async fn write(
    mut sink: SplitSink<Socket, Message>,
    mut outbox: mpsc::Receiver<Out>,
    cipher: NoiseCipher,
) -> Result<()> {
    let mut counter = 0;
    while let Some(out) = outbox.recv().await {
        match out {
            Out::Node(node) => {
                let plain = wacore_binary::marshal(&node).map_err(protocol)?;
                let sealed = cipher.encrypt_with_counter(counter, &plain).map_err(protocol)?;
                counter += 1;
                let framed = encode_frame(&sealed, None).map_err(protocol)?;
                sink.send(Message::binary(framed)).await.map_err(protocol)?;
            }
            Out::Close(code) => {
                let code = CloseCode::try_from(code).map_err(protocol)?;
                sink.send(Message::close(Some(code), "testbed")).await.map_err(protocol)?;
                break;
            }
            Out::Drop => break,
        }
    }
    Ok(())
}

/// The frames of a client.
struct Frames {
    stream: SplitStream<Socket>,
    decoder: FrameDecoder,
    /// Bytes fed since the last whole frame.
    waiting: usize,
    /// Whether the prologue has been read.
    begun: bool,
}

impl Frames {
    async fn next(&mut self) -> Result<BytesMut> {
        loop {
            if let Some(frame) = self.decoder.decode_frame() {
                self.waiting = 0;
                return Ok(frame);
            }
            let message = timeout(SILENCE, self.stream.next()).await.map_err(|_| protocol("silence"))?;
            let message = message.ok_or_else(|| protocol("the client went away"))?.map_err(protocol)?;
            if message.is_close() {
                return Err(protocol("the client closed"));
            }
            if !message.is_binary() {
                continue;
            }
            let payload: Bytes = message.into_payload().into();
            let payload = if self.begun { &payload[..] } else { prologue(&payload)? };
            self.begun = true;
            self.waiting += payload.len();
            if self.waiting > MAX_FRAME {
                return Err(protocol("a frame of more than a mebibyte"));
            }
            self.decoder.feed(payload);
        }
    }
}

/// Takes the first bytes of a connection off: an optional routing hint (`ED`, a version, a length of three bytes), and
/// the header.
fn prologue(bytes: &[u8]) -> Result<&[u8]> {
    let mut rest = bytes;
    if let Some(hint) = rest.strip_prefix(b"ED") {
        let [_, _, a, b, c, ..] = *hint else { return Err(protocol("a routing hint cut short")) };
        let length = usize::from(a) << 16 | usize::from(b) << 8 | usize::from(c);
        rest = hint.get(5 + length..).ok_or_else(|| protocol("a routing hint cut short"))?;
    }
    rest.strip_prefix(&WA_CONN_HEADER[..]).ok_or_else(|| protocol("no WhatsApp header"))
}
