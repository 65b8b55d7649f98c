//! The media host: encrypted files by the hash of what they are encrypted to, over plain HTTP on the port of the admin
//! API. Both libraries insist on `https://host/…`; README says how each is pointed here.

use std::path::{Path, PathBuf};

use actix_web::{HttpResponse, web};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde::Deserialize;
use serde_json::json;
use sha2::{Digest as _, Sha256};
use wacore_binary::Node;
use wacore_binary::builder::NodeBuilder;

use crate::world::{Turn, World};

/// The largest file.
pub(crate) const MAX_FILE: usize = 128 << 20;

/// Where files go, as clients ask for it.
pub(crate) fn connection(turn: &Turn<'_>) -> Node {
    let host = turn.world.media_host.get().cloned().unwrap_or_default();
    let host = NodeBuilder::new("host")
        .attr("hostname", host)
        .attr("type", "primary")
        .children([NodeBuilder::new("upload").build(), NodeBuilder::new("download").build()]);
    NodeBuilder::new("media_conn")
        .attr("auth", "testbed")
        .attr("ttl", "3600")
        .attr("auth_ttl", "21600")
        .attr("max_buckets", "12")
        .children([host.build()])
        .build()
}

/// What an upload says in its address.
#[derive(Deserialize)]
pub(crate) struct Upload {
    auth: Option<String>,
    resume: Option<String>,
}

/// `POST /mms/{kind}/{token}`: takes a file whose SHA-256 is the token. With `resume` it only asks whether it is here.
pub(crate) async fn upload(
    world: web::Data<std::sync::Arc<World>>,
    path: web::Path<(String, String)>,
    query: web::Query<Upload>,
    body: web::Bytes,
) -> HttpResponse {
    let (_kind, token) = path.into_inner();
    let Some(file) = file(&world.directory, &token) else { return refused(400, "this token is no hash") };
    if query.auth.as_deref() != Some("testbed") {
        return refused(401, "auth is the one of media_conn");
    }
    let direct_path = format!("/v/{}", token.trim_end_matches('='));
    let host = world.media_host.get().cloned().unwrap_or_default();
    let here = json!({ "url": format!("https://{host}{direct_path}"), "direct_path": direct_path });
    if query.resume.is_some() {
        return match file.exists() {
            true => HttpResponse::Ok()
                .json(json!({ "resume": "complete", "url": here["url"], "direct_path": direct_path })),
            false => HttpResponse::Ok().json(json!({ "resume": "0" })),
        };
    }
    if URL_SAFE_NO_PAD.encode(Sha256::digest(&body)) != token.trim_end_matches('=') {
        return refused(400, "the file's hash is not the token");
    }
    let written = web::block(move || {
        std::fs::create_dir_all(file.parent().unwrap_or(Path::new(".")))?;
        let part = file.with_extension("part");
        std::fs::write(&part, &body)?;
        std::fs::rename(part, file)
    });
    match written.await {
        Ok(Ok(())) => HttpResponse::Ok().json(here),
        _ => refused(507, "the file could not be written"),
    }
}

/// `GET /v/{token}`: gives a file back.
pub(crate) async fn download(
    world: web::Data<std::sync::Arc<World>>,
    token: web::Path<String>,
) -> HttpResponse {
    let Some(file) = file(&world.directory, &token) else { return refused(400, "this token is no hash") };
    match web::block(move || std::fs::read(file)).await {
        Ok(Ok(bytes)) => HttpResponse::Ok().content_type("application/octet-stream").body(bytes),
        _ => refused(404, "no such file"),
    }
}

fn refused(status: u16, why: &str) -> HttpResponse {
    let status = actix_web::http::StatusCode::from_u16(status).expect("the codes above are codes");
    HttpResponse::build(status).json(json!({ "error": why }))
}

/// The file of a token, which is the URL-safe base64 of 32 bytes and so no path.
fn file(directory: &Path, token: &str) -> Option<PathBuf> {
    let token = token.trim_end_matches('=');
    let hash = URL_SAFE_NO_PAD.decode(token).ok()?;
    (hash.len() == 32).then(|| directory.join("media").join(token))
}
