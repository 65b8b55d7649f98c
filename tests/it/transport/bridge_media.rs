//! Files between the supervisor and a bridge: lent for a message, taken after a fetch, and never more than what was agreed.

use std::fs;
use std::io::Read as _;
use std::path::PathBuf;
use std::time::Duration;

use bytes::Bytes;
use columba::domain::content::{Content, Media};
use columba::domain::id::MediaId;
use columba::domain::media::{Handle, MediaKind};
use columba::domain::time::WallTime;
use columba::ports::media::MediaFiles as _;
use columba::ports::transport::{FetchError, LinkEvent, SendError, Transport as _};
use rstest::rstest;

use super::bridge_rig::{LOST, Link, Rig, lease, next, rest};

const PERSON: &str = "+15551230001";
const MOST: u64 = 16 * 1024 * 1024;

/// Bytes of which no two stretches are alike.
fn bytes(count: u64) -> Vec<u8> {
    (0..count).map(|n| (n.wrapping_mul(0x9E37_79B9_7F4A_7C15) >> 56) as u8).collect()
}

fn media_folder(rig: &Rig) -> PathBuf {
    rig.folder.path().join("run/scripted/scripted-0.media")
}

fn left(rig: &Rig) -> Vec<String> {
    let entries = fs::read_dir(media_folder(rig)).unwrap();
    entries.map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect()
}

/// Keeps a file for the tenant of the rig; what a message holds with it.
async fn upload(rig: &Rig, bytes: Vec<u8>) -> Media {
    let (id, size) = (MediaId::mint(WallTime(1)), bytes.len() as u64);
    let mut incoming = rig.files.begin(rig.lease.tenant).await.unwrap();
    incoming.write(Bytes::from(bytes)).await.unwrap();
    incoming.keep(id).await.unwrap();
    Media {
        media: id,
        mime: "application/pdf".into(),
        size,
        caption: Some("look".into()),
        file_name: Some("a.pdf".into()),
        seconds: None,
        voice: false,
    }
}

/// Sends a file, which comes back as a message from whom it was sent to; with what brings it here.
async fn echoed(rig: &mut Rig, link: &mut Link, file: &Media) -> (Content, Handle) {
    let mut work = rig.message(PERSON, "");
    work.content = MediaKind::Document.holding(file.clone());
    assert_eq!(rig.engine.send(&work).await, Ok(()));
    assert_eq!(left(rig), Vec::<String>::new(), "it is lent for the time of the command");
    match next(link).await {
        LinkEvent::Inbound { letter, handle, .. } => (letter.content, handle.expect("it carries a file")),
        other => panic!("{other:?}"),
    }
}

#[tokio::test]
async fn a_file_goes_out_and_comes_back_byte_for_byte_and_nothing_stays_in_the_folder() {
    let mut rig = Rig::start("good");
    let mut link = rig.connected().await;
    for size in [1, 70_000, 5_000_000] {
        let sent = bytes(size);
        let file = upload(&rig, sent.clone()).await;
        let (content, handle) = echoed(&mut rig, &mut link, &file).await;
        let heard = content.media().expect("a file").clone();
        assert_ne!(heard.media, file.media, "it has a record of its own");
        assert_eq!(content, MediaKind::Document.holding(Media { media: heard.media, ..file.clone() }));
        let mut fetched = rig.engine.fetch_media(rig.lease, &handle, MOST).await.unwrap();
        assert_eq!(left(&rig), Vec::<String>::new());
        let mut came = vec![];
        fetched.read_to_end(&mut came).unwrap();
        assert_eq!(came, sent);
        let too_large = rig.engine.fetch_media(rig.lease, &handle, size - 1).await;
        assert_eq!(too_large.err(), Some(FetchError::TooLarge));
    }
    let unknown = rig.engine.fetch_media(rig.lease, &Handle(b"nobody".to_vec()), MOST).await;
    assert_eq!(unknown.err(), Some(FetchError::Absent));
    let never_opened = rig.engine.fetch_media(lease(), &Handle(b"nobody".to_vec()), MOST).await;
    assert_eq!(never_opened.err(), Some(FetchError::NoLink));
}

#[tokio::test]
async fn a_message_whose_file_was_removed_is_not_sent() {
    let mut rig = Rig::start("good");
    let _link = rig.connected().await;
    let file = upload(&rig, bytes(10)).await;
    rig.files.remove(rig.lease.tenant, file.media).await.unwrap();
    let mut work = rig.message(PERSON, "");
    work.content = MediaKind::Image.holding(file);
    assert_eq!(rig.engine.send(&work).await, Err(SendError::NoFile));
}

#[rstest]
#[case::a_link("media-symlink")]
#[case::another_name("media-hardlink")]
#[case::a_pipe("media-pipe")]
#[case::more("media-larger")]
#[case::less("media-smaller")]
#[case::nothing("media-nothing")]
#[case::elsewhere("media-elsewhere")]
#[tokio::test]
async fn a_bridge_that_leaves_something_else_than_it_said_is_refused(#[case] mode: &str) {
    let mut rig = Rig::start(mode);
    let mut link = rig.connected().await;
    let secret = rig.folder.path().join("run/scripted/secret");
    fs::write(&secret, "secret").unwrap();
    let file = upload(&rig, bytes(10_000)).await;
    let (_, handle) = echoed(&mut rig, &mut link, &file).await;
    let fetched = rig.engine.fetch_media(rig.lease, &handle, MOST).await;
    assert_eq!(fetched.err(), Some(FetchError::Broken));
    assert_eq!(fs::read_to_string(&secret).unwrap(), "secret");
    let stray = usize::from(mode == "media-elsewhere");
    assert_eq!(left(&rig).len(), stray, "what was ordered is removed");
}

#[tokio::test]
async fn a_bridge_that_says_more_than_was_asked_for_is_refused_by_its_word_alone() {
    let mut rig = Rig::start("media-nothing");
    let mut link = rig.connected().await;
    let file = upload(&rig, bytes(10_000)).await;
    let (_, handle) = echoed(&mut rig, &mut link, &file).await;
    assert_eq!(rig.engine.fetch_media(rig.lease, &handle, 9_999).await.err(), Some(FetchError::TooLarge));
}

#[tokio::test]
async fn a_bridge_that_ends_in_the_middle_is_an_error_soon_and_its_link_is_lost() {
    let mut rig = Rig::start("media-dies");
    let mut link = rig.connected().await;
    let file = upload(&rig, bytes(10_000)).await;
    let (_, handle) = echoed(&mut rig, &mut link, &file).await;
    let fetched =
        tokio::time::timeout(Duration::from_secs(20), rig.engine.fetch_media(rig.lease, &handle, MOST));
    assert_eq!(fetched.await.expect("at once").err(), Some(FetchError::Broken));
    assert_eq!(rest(&mut link).await, [LOST]);
}
