//! Files that messages carry: taken, shown, handed out, removed. A file is the body itself, and goes from the socket to the
//! disk and back in pieces; nothing here holds one.

use std::fs::File;
use std::io::{self, Read as _, Seek as _, SeekFrom};
use std::time::Duration;

use actix_web::body::SizedStream;
use actix_web::http::StatusCode;
use actix_web::http::header::{
    self, ByteRangeSpec, Charset, ContentDisposition, DispositionParam, DispositionType, ETag, EntityTag,
    ExtendedValue, Header as _, IfNoneMatch, IfRange, Range,
};
use actix_web::web::{self, Bytes};
use actix_web::{HttpRequest, HttpResponse, HttpResponseBuilder};
use futures_util::Stream;
use futures_util::stream::try_unfold;
use serde_json::json;

use crate::domain::id::MediaId;
use crate::domain::media::{FILE_NAME_MAX, MediaFile};
use crate::domain::plan::Plan;
use crate::domain::refusal::{Code, Refusal};
use crate::domain::scope::TenantScope;
use crate::http::answer::{Answer, created, done, ok, to_the_end};
use crate::http::extract::State;
use crate::http::extract::idempotency::Idempotent;
use crate::http::extract::path::Id;
use crate::http::extract::query::{Given, Nothing, Parameters, Query};
use crate::http::extract::tenant::{self, Tenant};
use crate::http::extract::upload::Upload;
use crate::http::in_flight::Owner;
use crate::http::openapi::operation::{self, Operation};
use crate::http::openapi::parameter::Parameter;
use crate::http::openapi::sample;
use crate::http::problem::Problem;
use crate::http::render::media::record;
use crate::media::upload::Declared;
use crate::ports::media::FilesError;
use crate::ports::store::StoreError;

/// Where files are taken: their bodies are not read before it is known whose they are.
pub const FILES: &str = "/v1/media";
/// In which a file has to come, however its sender dawdles.
const LONGEST: Duration = Duration::from_secs(600);
/// What is read from the disk at once.
const PIECE: u64 = 64 * 1024;

/// What of this file the OpenAPI document says.
pub fn operations() -> Vec<Operation> {
    let (file, plan) = (sample::media_file(), sample::plan());
    let shown = record(&file, Some(&plan));
    vec![
        operation::post("/v1/media", create)
            .named("uploadMedia", "Upload a file")
            .about(
                "The body is the file, sent as it is: no form, no base64. It is written to the disk as it comes, so its size is \
                 bounded by the plan (`media_bytes_max`) and not by memory. Its type is what its bytes show.",
            )
            .asking(json!("(the bytes)"))
            .answering(201, "It is kept, and messages can name it.", &shown)
            .refusing(&[Code::InvalidRequest, Code::Conflict]),
        operation::get("/v1/media/{id}", self::get)
            .named("getMedia", "Get what is known of a file")
            .answering(200, "The file's record.", &shown),
        operation::get("/v1/media/{id}/content", content)
            .named("downloadMedia", "Get a file")
            .about(
                "One that came in lies with WhatsApp until it is first asked for: that fetches it, for which its session has to \
                 be connected, and keeps it. `Range` is taken, one at a time; `ETag` is the SHA-256. It is always answered as an \
                 attachment, whatever its type.",
            )
            .answering_as(200, "application/octet-stream", "The bytes.", "(the bytes)")
            .answering_as(206, "application/octet-stream", "The bytes that `Range` names.", "(the bytes)")
            .answering_nothing(304, "It is the one that `If-None-Match` names.")
            .refusing(&[Code::SessionNotReady, Code::Conflict, Code::Unsupported]),
        operation::delete("/v1/media/{id}", self::delete)
            .named("deleteMedia", "Remove a file")
            .about("A message that waits and names it will fail with `media_gone`; one that came in cannot be fetched any more.")
            .answering_nothing(204, "It is gone."),
    ]
}

/// The query of `POST /media`.
#[derive(Debug)]
pub struct Named {
    file_name: Option<String>,
}

impl Parameters for Named {
    fn take(given: &mut Given) -> Self {
        Self { file_name: given.reads("file_name", file_name) }
    }

    fn described() -> Vec<Parameter> {
        let about = "What the file is called: 1 to 255 characters, no slash, nothing that cannot be seen.";
        vec![Parameter::new::<String>("file_name", about, "invoice.pdf")]
    }
}

/// The name of a file, as it may be shown. It becomes part of no path.
pub(super) fn file_name(text: &str) -> Result<String, String> {
    let fits = (1..=FILE_NAME_MAX).contains(&text.chars().count());
    let plain = !text.chars().any(|c| c.is_control() || matches!(c, '/' | '\\'));
    let expected = || format!("expected 1 to {FILE_NAME_MAX} characters, no slash and no control character");
    (fits && plain).then(|| text.to_owned()).ok_or_else(expected)
}

/// `POST /media`.
pub async fn create(
    state: State,
    Query(named): Query<Named>,
    idempotent: Idempotent,
    upload: Upload,
    tenant: Tenant<tenant::Send>,
) -> Answer {
    state.gate.admit()?;
    let flight = idempotent.enter(&state.in_flight, Owner::Tenant(tenant.id()))?;
    let scope = tenant.scope();
    let declared = Declared { mime: upload.mime.clone(), file_name: named.file_name };
    let mut file = state.uploads.begin(scope, upload.announced).await?;
    let coming = async {
        while let Some(piece) = upload.pieces.next().await? {
            file.write(piece).await?;
        }
        Ok::<(), Problem>(())
    };
    let late = |_| Refusal::malformed("the body did not arrive in time", vec![]);
    tokio::time::timeout(LONGEST, coming).await.map_err(late)??;
    // The bytes are here: what is begun now is ended, whether or not anybody waits.
    let kept = to_the_end(async move { Ok(file.finish(declared, idempotent.0).await?) }).await?;
    drop(flight);
    let replayed = kept.is_replayed();
    created(StatusCode::CREATED, replayed, record(&kept.into_inner(), plan(&state, scope).as_ref()))
}

fn plan(state: &State, scope: TenantScope) -> Option<Plan> {
    state.directory.snapshot().plan_of(scope.tenant()).cloned()
}

async fn found(state: &State, scope: TenantScope, id: MediaId) -> Result<MediaFile, Problem> {
    Ok(state.media.records.get(scope, id).await?.ok_or_else(Refusal::not_found)?)
}

/// `GET /media/{id}`.
pub async fn get(
    state: State,
    _: Query<Nothing>,
    tenant: Tenant<tenant::Content>,
    Id(id): Id<MediaId>,
) -> Answer {
    let file = found(&state, tenant.scope(), id).await?;
    ok(record(&file, plan(&state, tenant.scope()).as_ref()))
}

/// `DELETE /media/{id}`.
pub async fn delete(
    state: State,
    _: Query<Nothing>,
    tenant: Tenant<tenant::Keep>,
    Id(id): Id<MediaId>,
) -> Answer {
    let (media, scope) = (state.media.clone(), tenant.scope());
    let was_there = to_the_end(async move { Ok(media.delete(scope, id).await?) }).await?;
    if was_there { done() } else { Err(Refusal::not_found().into()) }
}

/// `GET /media/{id}/content`.
pub async fn content(
    state: State,
    _: Query<Nothing>,
    tenant: Tenant<tenant::Content>,
    Id(id): Id<MediaId>,
    request: HttpRequest,
) -> Answer {
    let file = found(&state, tenant.scope(), id).await?;
    let file = state.fetcher.fetch(tenant.scope(), file).await?;
    let tag = EntityTag::new_strong(hex::encode(file.sha256.unwrap_or_default()));
    if let Ok(IfNoneMatch::Items(known)) = IfNoneMatch::parse(&request)
        && known.iter().any(|known| known.weak_eq(&tag))
    {
        return Ok(HttpResponse::NotModified().insert_header(ETag(tag)).finish());
    }
    let body = state.media.files.open(tenant.id(), id).await.map_err(|error| match error {
        // Removed since, or lost: either way there is nothing to hand out.
        FilesError::Absent => Problem::from(Refusal::not_found()),
        broken => StoreError::from(broken).into(),
    })?;
    let (from, to) = asked_range(&request, &tag, file.size).unwrap_or((0, file.size));
    let mut response = HttpResponse::Ok();
    if (from, to) != (0, file.size) {
        response.status(StatusCode::PARTIAL_CONTENT);
        response.insert_header((header::CONTENT_RANGE, format!("bytes {from}-{}/{}", to - 1, file.size)));
    }
    described(&mut response, &file, tag);
    Ok(response.body(SizedStream::new(to - from, pieces(body, from, to))))
}

/// The one range that is asked for, if it can be had: from the first byte to the one behind the last. Anything else is
/// answered whole, as RFC 9110 allows.
fn asked_range(request: &HttpRequest, tag: &EntityTag, size: u64) -> Option<(u64, u64)> {
    if request.headers().contains_key(header::IF_RANGE) {
        match IfRange::parse(request) {
            Ok(IfRange::EntityTag(known)) if known.strong_eq(tag) => {}
            _ => return None,
        }
    }
    let Ok(Range::Bytes(ranges)) = Range::parse(request) else { return None };
    let [range]: [ByteRangeSpec; 1] = ranges.try_into().ok()?;
    range.to_satisfiable_range(size).map(|(from, last)| (from, last + 1))
}

/// Says what it is in ways that keep a browser from showing it as a page of this server.
fn described(response: &mut HttpResponseBuilder, file: &MediaFile, tag: EntityTag) {
    let named = file.file_name.as_deref().map(|name| {
        DispositionParam::FilenameExt(ExtendedValue {
            charset: Charset::Ext("UTF-8".to_owned()),
            language_tag: None,
            value: name.as_bytes().to_vec(),
        })
    });
    let parameters = named.into_iter().collect();
    response
        .insert_header((header::CONTENT_TYPE, file.mime.as_str()))
        .insert_header(ContentDisposition { disposition: DispositionType::Attachment, parameters })
        .insert_header((header::X_CONTENT_TYPE_OPTIONS, "nosniff"))
        .insert_header((header::CONTENT_SECURITY_POLICY, "default-src 'none'; sandbox"))
        .insert_header((header::CACHE_CONTROL, "private, no-store"))
        .insert_header((header::ACCEPT_RANGES, "bytes"))
        .insert_header(ETag(tag));
}

/// Bytes `from` up to `to` of a file, read where waiting for the disk is allowed.
fn pieces(file: File, from: u64, to: u64) -> impl Stream<Item = io::Result<Bytes>> {
    try_unfold((file, from), move |(mut file, at)| async move {
        if at == to {
            return Ok(None);
        }
        let read = move || {
            if at == from {
                file.seek(SeekFrom::Start(from))?;
            }
            let mut piece = Vec::new();
            let most = PIECE.min(to - at);
            if io::Read::by_ref(&mut file).take(most).read_to_end(&mut piece)? == 0 {
                return Err(io::ErrorKind::UnexpectedEof.into());
            }
            io::Result::Ok((piece, file))
        };
        let (piece, file) = web::block(read).await.map_err(io::Error::other)??;
        let next = at + piece.len() as u64;
        Ok(Some((Bytes::from(piece), (file, next))))
    })
}
