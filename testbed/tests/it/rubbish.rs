//! Rubbish never takes the testbed down, nor anybody's socket but its sender's.

use std::time::Duration;

use futures_util::{SinkExt as _, StreamExt as _};
use rand::Rng as _;
use tokio_websockets::{ClientBuilder, Message};
use wacore::libsignal::protocol::KeyPair;
use wacore_binary::builder::NodeBuilder;
use wacore_binary::consts::{NOISE_PATTERN_XX, WA_CONN_HEADER};
use wacore_noise::framing::encode_frame;
use wacore_noise::{HandshakeUtils, NoiseHandshake};

use crate::support::{Bed, phone};

async fn throw(bed: &Bed, messages: &[Vec<u8>]) {
    let uri = bed.url().parse().expect("an address");
    let (mut socket, _) = ClientBuilder::from_uri(uri).connect().await.expect("a socket");
    for message in messages {
        if socket.send(Message::binary(message.clone())).await.is_err() {
            break;
        }
    }
    let _ = tokio::time::timeout(Duration::from_millis(200), socket.next()).await;
}

fn framed(payload: &[u8]) -> Vec<u8> {
    [&WA_CONN_HEADER[..], &encode_frame(payload, None).expect("a frame")].concat()
}

#[tokio::test(flavor = "multi_thread")]
async fn bytes_that_mean_nothing_end_their_own_socket() {
    let bed = Bed::with(&[phone(90)]).await;
    let mut rng: rand::rngs::StdRng = rand::make_rng();
    let mut junk = |length: usize| {
        let mut bytes = vec![0; length];
        rng.fill_bytes(&mut bytes);
        bytes
    };
    throw(&bed, &[b"GET / HTTP".to_vec()]).await;
    throw(&bed, &[b"ED".to_vec()]).await;
    throw(&bed, &[[b"ED\0\x01\xff\xff\xff".as_slice(), &WA_CONN_HEADER].concat()]).await;
    throw(&bed, &[[&WA_CONN_HEADER[..], &[0xff, 0xff, 0xff]].concat(), junk(900_000), junk(900_000)]).await;
    throw(&bed, &[vec![0; 2 << 20]]).await;
    for length in [0, 1, 31, 32, 200, 5_000] {
        throw(&bed, &[framed(&junk(length))]).await;
    }
    let hello = HandshakeUtils::build_client_hello(&junk(32));
    use buffa::Message as _;
    throw(&bed, &[framed(&hello.encode_to_vec()), encode_frame(&junk(300), None).expect("a frame")]).await;
    let hello = HandshakeUtils::build_client_hello(&[0; 32]);
    throw(&bed, &[framed(&hello.encode_to_vec())]).await;
    let hello = HandshakeUtils::build_ik_client_hello(&junk(32), junk(48), junk(100));
    throw(&bed, &[framed(&hello.encode_to_vec())]).await;
    assert_eq!(bed.get("accounts").await[0]["phone"], phone(90), "it still answers");
    bed.until("sockets", 5, |s| s["open"] == 0).await;
}

/// A hand-made client behind an honest handshake: what it says next is its own.
async fn admitted(bed: &Bed, payload: &waproto::whatsapp::ClientPayload, nodes: &[Vec<u8>]) -> usize {
    use buffa::Message as _;
    use waproto::whatsapp::HandshakeMessage;

    let mut rng: rand::rngs::StdRng = rand::make_rng();
    let (ours, ephemeral) = (KeyPair::generate(&mut rng), KeyPair::generate(&mut rng));
    let public = |pair: &KeyPair| pair.public_key.public_key_bytes().to_vec();
    let uri = bed.url().parse().expect("an address");
    let (mut socket, _) = ClientBuilder::from_uri(uri).connect().await.expect("a socket");
    let mut noise = NoiseHandshake::new(NOISE_PATTERN_XX, &WA_CONN_HEADER).expect("a handshake");
    noise.authenticate(&public(&ephemeral));
    let hello = HandshakeUtils::build_client_hello(&public(&ephemeral)).encode_to_vec();
    socket.send(Message::binary(framed(&hello))).await.expect("sent");
    let answer = socket.next().await.expect("an answer").expect("a message");
    let (theirs, sealed_static, sealed_chain) =
        HandshakeUtils::parse_server_hello(&answer.as_payload()[3..]).expect("a hello");
    noise.authenticate(&theirs);
    noise.mix_shared_secret(ephemeral.private_key.serialize(), &theirs).expect("mixed");
    let server = noise.decrypt(&sealed_static).expect("opened");
    noise.mix_shared_secret(ephemeral.private_key.serialize(), &server).expect("mixed");
    noise.decrypt(&sealed_chain).expect("opened");
    let sealed_ours = noise.encrypt(&public(&ours)).expect("sealed");
    noise.mix_shared_secret(ours.private_key.serialize(), &theirs).expect("mixed");
    let sealed_payload = noise.encrypt(&payload.encode_to_vec()).expect("sealed");
    let finish: HandshakeMessage = HandshakeUtils::build_client_finish(sealed_ours, sealed_payload);
    socket
        .send(Message::binary(encode_frame(&finish.encode_to_vec(), None).expect("a frame")))
        .await
        .expect("sent");
    let (to_server, _) = noise.finish().expect("finished");
    for (counter, plain) in nodes.iter().enumerate() {
        let sealed =
            to_server.encrypt_with_counter(u32::try_from(counter).expect("few"), plain).expect("sealed");
        if socket.send(Message::binary(encode_frame(&sealed, None).expect("a frame"))).await.is_err() {
            break;
        }
    }
    let mut answers = 0;
    while let Ok(Some(Ok(message))) = tokio::time::timeout(Duration::from_millis(400), socket.next()).await {
        answers += usize::from(message.is_binary());
    }
    answers
}

#[tokio::test(flavor = "multi_thread")]
async fn stanzas_that_mean_nothing_are_answered_or_end_their_own_socket() {
    use waproto::whatsapp::ClientPayload;
    use waproto::whatsapp::client_payload::DevicePairingRegistrationData;

    let bed = Bed::with(&[phone(91)]).await;
    let mut rng: rand::rngs::StdRng = rand::make_rng();
    let registration = DevicePairingRegistrationData { e_ident: Some(vec![5; 32]), ..Default::default() };
    let payload =
        ClientPayload { device_pairing_data: buffa::MessageField::some(registration), ..Default::default() };
    let packed = |node| wacore_binary::marshal(&node).expect("a stanza");
    let iq = |xmlns: &'static str, child: &'static str| {
        let node = NodeBuilder::new("iq").attr("id", "1").attr("type", "get").attr("xmlns", xmlns);
        packed(node.children([NodeBuilder::new(child).build()]).build())
    };
    let pair_offer = 1;
    assert_eq!(admitted(&bed, &payload, &[iq("w:p", "ping")]).await, pair_offer + 1, "refused, and said so");
    assert_eq!(admitted(&bed, &payload, &[iq("md", "link_code_companion_reg")]).await, pair_offer + 1);
    assert_eq!(admitted(&bed, &payload, &[packed(NodeBuilder::new("nonsense").build())]).await, pair_offer);
    for node in [
        NodeBuilder::new("message").attr("id", "1").attr("to", "1@s.whatsapp.net").build(),
        NodeBuilder::new("iq").attr("type", "get").build(),
        NodeBuilder::new("receipt").build(),
    ] {
        assert_eq!(admitted(&bed, &payload, &[packed(node)]).await, pair_offer, "and the socket ends");
    }
    let sign = NodeBuilder::new("iq").attr("id", "1").attr("type", "result");
    let sign = sign.children([NodeBuilder::new("pair-device-sign").build()]).build();
    assert_eq!(admitted(&bed, &payload, &[packed(sign)]).await, pair_offer);
    for length in [0, 1, 2, 100, 3_000] {
        let mut junk = vec![0; length];
        rng.fill_bytes(&mut junk);
        admitted(&bed, &payload, &[junk]).await;
    }
    // A login of nobody, of a stranger, and of a device that is not there.
    assert_eq!(admitted(&bed, &ClientPayload::default(), &[]).await, 0);
    for phone in [1, phone(91)] {
        let login = ClientPayload { username: Some(phone), device: Some(7), ..Default::default() };
        assert_eq!(admitted(&bed, &login, &[]).await, 1, "a refusal");
    }
    let cut = ClientPayload { username: Some(phone(91)), device: Some(70_000), ..Default::default() };
    assert_eq!(admitted(&bed, &cut, &[]).await, 0);
    bed.until("sockets", 5, |s| s["open"] == 0 && s["unpaired"] == 0).await;
}
