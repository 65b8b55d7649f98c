//! Media: up, across, down.

use buffa::MessageField;
use wacore::download::MediaType;
use wacore::types::events::Event;
use whatsapp_rust::upload::UploadOptions;
use whatsapp_rust::waproto::whatsapp as wa;

use crate::support::{Bed, Peer, phone};

#[tokio::test(flavor = "multi_thread")]
async fn an_image_goes_up_across_and_down() {
    let (a, b) = (phone(70), phone(71));
    let bed = Bed::with(&[a, b]).await;
    let (alice, bob) = tokio::join!(Peer::linked(&bed, a), Peer::linked(&bed, b));
    let bytes: Vec<u8> = (0..100_000_u32).map(|n| n.to_le_bytes()[n as usize % 3]).collect();
    let up = alice
        .client
        .upload(bytes.clone(), MediaType::Image, UploadOptions::default())
        .await
        .expect("an upload");
    let image = wa::message::ImageMessage {
        url: Some(up.url.clone()),
        direct_path: Some(up.direct_path.clone()),
        media_key: Some(up.media_key.to_vec()),
        file_enc_sha256: Some(up.file_enc_sha256.to_vec()),
        file_sha256: Some(up.file_sha256.to_vec()),
        file_length: Some(up.file_length),
        mimetype: Some("image/png".into()),
        caption: Some("a pigeon".into()),
        ..Default::default()
    };
    let message = wa::Message { image_message: MessageField::some(image), ..Default::default() };
    let to = format!("{b}@s.whatsapp.net").parse().expect("a jid");
    alice.send(&to, message, "3EB0F0000000000000000001").await;

    let has_image = |e: &Event| e.messages().any(|m| m.message.image_message.as_option().is_some());
    let event = bob.until("the image", 20, has_image).await;
    let image =
        event.messages().find_map(|m| m.message.image_message.as_option().cloned()).expect("just seen");
    let down = bob.client.download(&image).await.expect("a download");
    assert_eq!(down, bytes);
    bed.until(&format!("messages?phone={b}"), 10, |l| l[0]["text"] == "[image] a pigeon").await;
}
