//! The web pages, over a small tree of files.

use std::borrow::Cow;
use std::sync::Arc;

use actix_web::http::Method;
use actix_web::test::TestRequest;
use columba::http::pages::Tree;
use rstest::rstest;

use super::world::{Reply, World};

const INDEX: &str = "<!doctype html><script src=\"/ui/assets/app-3f2a.js\"></script>";

/// A world with pages, as the build of the web leaves them.
fn world() -> World {
    let mut world = World::new();
    let files = [
        ("index.html", INDEX),
        ("index.html.br", "br of index"),
        ("pair.html", "<!doctype html>pair"),
        ("assets/app-3f2a.js", "let a = 1"),
        ("assets/app-3f2a.js.br", "br of app"),
        ("assets/app-3f2a.js.gz", "gz of app"),
        ("favicon.svg", "<svg/>"),
    ];
    let files = files.map(|(name, text)| (name.to_owned(), Cow::Borrowed(text.as_bytes())));
    world.state.pages = Arc::new(Tree::of(files));
    world
}

async fn browse(world: &World, path: &str, headers: &[(&str, &str)]) -> Reply {
    let request =
        headers.iter().fold(TestRequest::get().uri(path), |request, &header| request.insert_header(header));
    world.send(request).await
}

const PAGE: (&str, &str) = ("accept", "text/html,application/xhtml+xml;q=0.9");

#[actix_web::test]
async fn whoever_comes_to_the_door_is_led_to_the_ui() {
    let world = world();
    for path in ["/", "/ui"] {
        let reply = browse(&world, path, &[PAGE]).await;
        assert_eq!((reply.status, reply.header("location")), (302, "/ui/"), "{path}");
    }
}

#[actix_web::test]
async fn a_place_in_the_ui_is_its_first_page_and_a_file_that_is_not_there_is_absent() {
    let world = world();
    for path in ["/ui/", "/ui/sessions", "/ui/sessions/ses_1?tab=now", "/ui/setup"] {
        let reply = browse(&world, path, &[PAGE]).await;
        assert_eq!((reply.status, &*reply.text), (200, INDEX), "{path}");
    }
    for (path, headers) in [
        ("/ui/sessions", &[("accept", "application/json")][..]),
        ("/ui/", &[]),
        ("/ui/assets/gone-1.js", &[PAGE]),
        ("/ui/assets/app-3f2a.js.br", &[PAGE]),
        ("/ui/assets/../../Cargo.toml", &[]),
        ("/ui/%2e%2e/Cargo.toml", &[]),
    ] {
        assert_eq!(browse(&world, path, headers).await.problem().0, 404, "{path}");
    }
    let posted = world.send(TestRequest::post().uri("/ui/sessions").insert_header(PAGE)).await;
    assert_eq!(posted.problem().0, 405);
}

#[rstest]
#[case("/ui/")]
#[case("/pair")]
#[actix_web::test]
async fn a_page_says_what_it_may_do(#[case] path: &str, #[values(true, false)] is_built: bool) {
    let mut world = world();
    if !is_built {
        world.state.pages = Arc::default();
    }
    let reply = browse(&world, path, &[PAGE]).await;
    assert_eq!(reply.status, 200);
    assert_eq!(reply.text.contains("built without its web pages"), !is_built, "{}", reply.text);
    for (name, value) in [
        ("content-type", "text/html; charset=utf-8"),
        ("cache-control", "no-cache"),
        ("referrer-policy", "no-referrer"),
        ("x-content-type-options", "nosniff"),
        ("cross-origin-opener-policy", "same-origin"),
        ("x-robots-tag", "noindex"),
    ] {
        assert_eq!(reply.header(name), value);
    }
    let policy = reply.header("content-security-policy");
    for rule in [
        "default-src 'none'",
        "script-src 'self'",
        "style-src 'self'",
        "connect-src 'self'",
        "img-src 'self' data: blob:",
        "form-action 'self'",
        "base-uri 'none'",
        "frame-ancestors 'none'",
    ] {
        assert!(policy.split(';').any(|part| part.trim() == rule), "{rule}: {policy}");
    }
    assert!(!policy.contains("unsafe") && !policy.contains("://"), "{policy}");
    assert!(reply.header("permissions-policy").contains("camera=()"));
}

#[actix_web::test]
async fn files_come_in_the_smallest_form_that_is_taken_and_hashed_ones_are_kept_for_ever() {
    let world = world();
    let app = "/ui/assets/app-3f2a.js";
    for (accepted, encoding, text) in
        [("gzip, br", "br", "br of app"), ("gzip", "gzip", "gz of app"), ("identity", "", "let a = 1")]
    {
        let reply = browse(&world, app, &[("accept-encoding", accepted)]).await;
        assert_eq!((reply.status, reply.header("content-encoding"), &*reply.text), (200, encoding, text));
        assert_eq!(reply.header("cache-control"), "public, max-age=31536000, immutable");
        assert_eq!(
            (reply.header("vary"), reply.header("content-type")),
            ("accept-encoding", "text/javascript; charset=utf-8")
        );
        assert_eq!(reply.header("x-content-type-options"), "nosniff");
    }
    let plain = browse(&world, "/ui/favicon.svg", &[("accept-encoding", "br")]).await;
    assert_eq!((plain.header("content-encoding"), plain.header("cache-control")), ("", "no-cache"));
    assert_eq!(plain.header("content-type"), "image/svg+xml");
}

#[actix_web::test]
async fn what_a_browser_has_is_not_sent_again() {
    let world = world();
    for path in ["/ui/", "/ui/favicon.svg", "/pair"] {
        let first = browse(&world, path, &[PAGE]).await;
        let tag = first.header("etag").to_owned();
        assert!(tag.starts_with('"') && tag.ends_with('"'), "{tag}");
        for known in [tag.clone(), format!("\"other\", W/{tag}"), "*".to_owned()] {
            let again = browse(&world, path, &[PAGE, ("if-none-match", &known)]).await;
            assert_eq!(
                (again.status, &*again.text, again.header("etag")),
                (304, "", &*tag),
                "{path} {known}"
            );
        }
        // The same file in another form is another thing to have.
        let other = browse(&world, path, &[PAGE, ("if-none-match", "\"other\"")]).await;
        assert_eq!(other.status, 200);
    }
    let packed = browse(&world, "/ui/", &[PAGE, ("accept-encoding", "br")]).await;
    let plain = browse(&world, "/ui/", &[PAGE]).await;
    assert_ne!(packed.header("etag"), plain.header("etag"));
}

#[actix_web::test]
async fn a_head_is_answered_like_a_get_without_its_body() {
    let world = world();
    let head = world.send(TestRequest::default().method(Method::HEAD).uri("/ui/").insert_header(PAGE)).await;
    assert_eq!(
        (head.status, head.header("etag")),
        (200, browse(&world, "/ui/", &[PAGE]).await.header("etag"))
    );
}
