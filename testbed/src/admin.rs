//! The admin API: how tests and the page play the phones, script failures and read the log. JSON both ways; an error is
//! `{"error": "what to do"}`.

use std::sync::Arc;

use actix_web::http::StatusCode;
use actix_web::{HttpResponse, ResponseError, web};
use rusqlite::Connection;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use crate::error::{Error, Result};
use crate::failures::Rule;
use crate::forgeries::Forgery;
use crate::frame_log::Wanted;
use crate::seat::{Addressing, Seat};
use crate::world::{Live, Out, World};
use crate::{accounts, failures, forgeries, frame_log, groups, login, media, pair_code, pairing, phone};

type Data = web::Data<Arc<World>>;

/// Every route.
pub(crate) fn routes(config: &mut web::ServiceConfig) {
    let errors = web::JsonConfig::default()
        .limit(1 << 20)
        .error_handler(|error, _| Error::Refused(format!("the body: {error}")).into());
    config
        .app_data(errors)
        .app_data(
            web::QueryConfig::default().error_handler(|error, _| Error::Refused(error.to_string()).into()),
        )
        .app_data(web::PayloadConfig::new(media::MAX_FILE))
        .route("/", web::get().to(page))
        .route("/admin/accounts", web::get().to(list_accounts))
        .route("/admin/accounts", web::post().to(create_account))
        .route("/admin/scan", web::post().to(scan))
        .route("/admin/code", web::post().to(type_code))
        .route("/admin/companions/remove", web::post().to(remove_companion))
        .route("/admin/messages", web::get().to(list_messages))
        .route("/admin/messages", web::post().to(send_message))
        .route("/admin/forgeries", web::post().to(forge))
        .route("/admin/read", web::post().to(read_chat))
        .route("/admin/groups", web::get().to(list_groups))
        .route("/admin/groups", web::post().to(create_group))
        .route("/admin/failures", web::get().to(list_failures))
        .route("/admin/failures", web::post().to(add_failure))
        .route("/admin/failures", web::delete().to(clear_failures))
        .route("/admin/failures/{id}", web::delete().to(remove_failure))
        .route("/admin/frames", web::get().to(list_frames))
        .route("/admin/sockets", web::get().to(list_sockets))
        .route("/admin/sockets/close", web::post().to(close_sockets))
        .route("/admin/pending", web::get().to(list_pending))
        .route("/admin/info", web::get().to(info))
        .route("/mms/{kind}/{token}", web::post().to(media::upload))
        .route("/v/{token}", web::get().to(media::download));
}

impl ResponseError for Error {
    fn status_code(&self) -> StatusCode {
        match self {
            Self::NotFound(_) => StatusCode::NOT_FOUND,
            Self::Refused(_) => StatusCode::UNPROCESSABLE_ENTITY,
            Self::Store(_) | Self::Io(_) | Self::Protocol(_) | Self::Signal(_) => {
                StatusCode::INTERNAL_SERVER_ERROR
            }
        }
    }

    fn error_response(&self) -> HttpResponse {
        HttpResponse::build(self.status_code()).json(json!({ "error": self.to_string() }))
    }
}

async fn page() -> HttpResponse {
    HttpResponse::Ok().content_type("text/html; charset=utf-8").body(include_str!("page.html"))
}

/// A number, written as a number or as text with or without `+`.
#[derive(Debug, Clone, Copy, Serialize)]
struct Phone(u64);

impl<'de> Deserialize<'de> for Phone {
    fn deserialize<D: serde::Deserializer<'de>>(input: D) -> std::result::Result<Self, D::Error> {
        let value = Value::deserialize(input)?;
        let number = match &value {
            Value::Number(number) => number.as_u64(),
            Value::String(text) => text.trim().trim_start_matches('+').parse().ok(),
            _ => None,
        };
        number
            .map(Self)
            .ok_or_else(|| serde::de::Error::custom("a phone number is digits, perhaps after a +"))
    }
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct NewAccount {
    phone: Phone,
    name: Option<String>,
}

async fn create_account(world: Data, new: web::Json<NewAccount>) -> Result<HttpResponse> {
    let name = new.name.clone().unwrap_or_else(|| format!("Phone {}", new.phone.0));
    let person = world.turn(|turn| accounts::create(turn.db, new.phone.0, &name, turn.now))?;
    Ok(HttpResponse::Created().json(json!({ "phone": person.phone, "lid": person.lid, "name": person.name })))
}

async fn list_accounts(world: Data) -> Result<HttpResponse> {
    let list = world.read(|db, live| {
        let mut list = Vec::new();
        for person in accounts::all(db)? {
            let mut companions = Vec::new();
            for device in accounts::companions(db, person.phone)? {
                companions.push(companion(db, live, Seat { phone: person.phone, device })?);
            }
            list.push(json!({
                "phone": person.phone, "lid": person.lid, "name": person.name, "companions": companions,
            }));
        }
        Ok(list)
    })?;
    Ok(HttpResponse::Ok().json(list))
}

fn companion(db: &Connection, live: &Live, seat: Seat) -> Result<Value> {
    let count = |table: &str| -> Result<u64> {
        let mut count =
            db.prepare_cached(&format!("SELECT count(*) FROM {table} WHERE phone = ? AND device = ?"))?;
        Ok(count.query_row((seat.phone, seat.device), |r| r.get(0))?)
    };
    let platform = accounts::companion(db, seat)?.map(|companion| companion.platform);
    Ok(json!({
        "device": seat.device, "online": live.online.contains_key(&seat), "platform": platform,
        "prekeys": count("prekey")?, "pending": count("pending")?,
    }))
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Scan {
    phone: Phone,
    qr: String,
}

async fn scan(world: Data, scan: web::Json<Scan>) -> Result<HttpResponse> {
    let seat = world.turn(|turn| pairing::scan(turn, &scan.qr, scan.phone.0))?;
    Ok(HttpResponse::Ok().json(json!({ "phone": seat.phone, "device": seat.device })))
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Code {
    phone: Phone,
    code: String,
}

async fn type_code(world: Data, typed: web::Json<Code>) -> Result<HttpResponse> {
    let Code { phone, code } = typed.into_inner();
    let (conn, sealed) = world.turn(|turn| pair_code::waiting(turn, phone.0))?;
    let typed = web::block(move || pair_code::type_code(conn, &sealed, &code)).await;
    let typed = typed.map_err(|_| Error::Refused("the testbed is stopping".into()))??;
    world.turn(|turn| pair_code::primary_hello(turn, phone.0, typed))?;
    Ok(HttpResponse::Accepted().json(json!({ "phone": phone.0 })))
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Device {
    phone: Phone,
    device: u16,
}

async fn remove_companion(world: Data, which: web::Json<Device>) -> Result<HttpResponse> {
    let seat = Seat { phone: which.phone.0, device: which.device };
    world.turn(|turn| {
        if accounts::companion(turn.db, seat)?.is_none() {
            return Err(Error::NotFound(format!("{seat} is not linked")));
        }
        login::remove(turn, seat, true)
    })?;
    Ok(HttpResponse::NoContent().finish())
}

#[derive(Deserialize)]
struct WhichMessages {
    phone: Phone,
    #[serde(default)]
    after: i64,
}

async fn list_messages(world: Data, which: web::Query<WhichMessages>) -> Result<HttpResponse> {
    let list = world.read(|db, _| {
        accounts::known(db, which.phone.0)?;
        let mut list = db.prepare_cached(
            "SELECT n, peer, author, id, from_me, at, text, status FROM chat WHERE phone = ? AND n > ? ORDER BY n LIMIT 10000",
        )?;
        let rows = list.query_map((which.phone.0, which.after), |r| {
            Ok(json!({
                "n": r.get::<_, i64>(0)?, "peer": r.get::<_, String>(1)?, "author": r.get::<_, String>(2)?,
                "id": r.get::<_, String>(3)?, "from_me": r.get::<_, bool>(4)?, "at": r.get::<_, i64>(5)?,
                "text": r.get::<_, String>(6)?, "status": r.get::<_, String>(7)?,
            }))
        })?;
        Ok(rows.collect::<rusqlite::Result<Vec<_>>>()?)
    })?;
    Ok(HttpResponse::Ok().json(list))
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct NewMessage {
    phone: Phone,
    /// A number, or a group's `…@g.us`.
    to: Value,
    text: String,
    /// The id to send under; one is made if unsaid.
    id: Option<String>,
}

async fn send_message(world: Data, new: web::Json<NewMessage>) -> Result<HttpResponse> {
    let NewMessage { phone, to, text, id } = new.into_inner();
    let to = match to {
        Value::String(to) => to,
        other => other.to_string(),
    };
    let id = world.turn(|turn| phone::send_text(turn, phone.0, &to, &text, id))?;
    Ok(HttpResponse::Created().json(json!({ "id": id })))
}

/// A forgery as it is asked for: who sends it to whom beside its own fields.
#[derive(Deserialize)]
struct NewForgery {
    phone: Phone,
    to: Phone,
    #[serde(flatten)]
    forgery: Forgery,
}

async fn forge(world: Data, new: web::Json<NewForgery>) -> Result<HttpResponse> {
    let ids = world.turn(|turn| forgeries::send(turn, new.phone.0, new.to.0, &new.forgery))?;
    Ok(HttpResponse::Created().json(json!({ "ids": ids })))
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Chat {
    phone: Phone,
    peer: Value,
}

async fn read_chat(world: Data, chat: web::Json<Chat>) -> Result<HttpResponse> {
    let peer = match &chat.peer {
        Value::String(peer) => peer.trim_start_matches('+').to_owned(),
        other => other.to_string(),
    };
    let read = world.turn(|turn| phone::read(turn, chat.phone.0, &peer))?;
    Ok(HttpResponse::Ok().json(json!({ "read": read })))
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct NewGroup {
    subject: String,
    /// Members; the first owns the group.
    phones: Vec<Phone>,
    /// `lid` or `pn`, how members are named in it; `lid` if unsaid.
    addressing: Option<String>,
}

async fn create_group(world: Data, new: web::Json<NewGroup>) -> Result<HttpResponse> {
    let phones: Vec<u64> = new.phones.iter().map(|phone| phone.0).collect();
    let naming = match new.addressing.as_deref() {
        None | Some("lid") => Addressing::Lid,
        Some("pn") => Addressing::Pn,
        Some(other) => return Err(Error::Refused(format!("addressing is lid or pn, not {other}"))),
    };
    let group = world.turn(|turn| groups::create(turn, &new.subject, &phones, naming))?;
    Ok(HttpResponse::Created().json(json!({ "id": format!("{}@g.us", group.id), "subject": group.subject })))
}

async fn list_groups(world: Data) -> Result<HttpResponse> {
    let list = world.read(|db, _| {
        let mut list = Vec::new();
        for group in groups::list(db, None)? {
            let members: Vec<u64> = groups::members(db, &group.id)?.iter().map(|member| member.phone).collect();
            list.push(json!({
                "id": format!("{}@g.us", group.id), "subject": group.subject, "owner": group.owner, "phones": members,
            }));
        }
        Ok(list)
    })?;
    Ok(HttpResponse::Ok().json(list))
}

/// A failure as it is asked for: the rule's scope beside the failure's own fields.
#[derive(Deserialize)]
struct NewFailure {
    phone: Option<Phone>,
    device: Option<u16>,
    times: Option<u32>,
    #[serde(flatten)]
    failure: Value,
}

async fn add_failure(world: Data, new: web::Json<NewFailure>) -> Result<HttpResponse> {
    let new = new.into_inner();
    let failure = serde_json::from_value(new.failure)
        .map_err(|error| Error::Refused(format!("the failure: {error}; README has the table")))?;
    let rule = Rule {
        id: 0,
        phone: new.phone.map(|phone| phone.0),
        device: new.device,
        times: new.times,
        struck: 0,
        at: 0,
        failure,
    };
    let rule = world.turn(|turn| failures::add(turn, rule))?;
    Ok(HttpResponse::Created().json(rule))
}

async fn list_failures(world: Data) -> Result<HttpResponse> {
    let rules = world.read(|_, live| Ok(live.rules.clone()))?;
    Ok(HttpResponse::Ok().json(rules))
}

async fn remove_failure(world: Data, id: web::Path<i64>) -> Result<HttpResponse> {
    match world.turn(|turn| failures::remove(turn, Some(*id)))? {
        0 => Err(Error::NotFound(format!("no failure {id}: it may have struck for the last time"))),
        _ => Ok(HttpResponse::NoContent().finish()),
    }
}

async fn clear_failures(world: Data) -> Result<HttpResponse> {
    let removed = world.turn(|turn| failures::remove(turn, None))?;
    Ok(HttpResponse::Ok().json(json!({ "removed": removed })))
}

async fn list_frames(world: Data, wanted: web::Query<Wanted>) -> Result<HttpResponse> {
    Ok(HttpResponse::Ok().json(world.read(|db, _| frame_log::read(db, &wanted))?))
}

async fn list_sockets(world: Data) -> Result<HttpResponse> {
    let (devices, unpaired, open) = world.read(|db, live| {
        let mut list =
            db.prepare_cached("SELECT phone, device, logins, peak FROM socket ORDER BY phone, device")?;
        let rows = list.query_map([], |r| {
            let seat = Seat { phone: r.get(0)?, device: r.get(1)? };
            let now = live.conns.values().filter(|conn| conn.seat == Some(seat)).count();
            Ok(json!({
                "phone": seat.phone, "device": seat.device, "open": now,
                "logins": r.get::<_, u64>(2)?, "peak": r.get::<_, u64>(3)?,
            }))
        })?;
        Ok((rows.collect::<rusqlite::Result<Vec<_>>>()?, live.pairing.len(), live.conns.len()))
    })?;
    Ok(HttpResponse::Ok().json(json!({ "open": open, "unpaired": unpaired, "devices": devices })))
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Close {
    phone: Option<Phone>,
    device: Option<u16>,
}

async fn close_sockets(world: Data, which: web::Json<Close>) -> Result<HttpResponse> {
    let closed = world.turn(|turn| {
        let covered = |seat: &Seat| {
            which.phone.is_none_or(|p| p.0 == seat.phone) && which.device.is_none_or(|d| d == seat.device)
        };
        let conns: Vec<u64> =
            turn.live.online.iter().filter(|(s, _)| covered(s)).map(|(_, conn)| *conn).collect();
        for conn in &conns {
            turn.end(*conn, Out::Drop);
        }
        Ok(conns.len())
    })?;
    Ok(HttpResponse::Ok().json(json!({ "closed": closed })))
}

async fn list_pending(world: Data) -> Result<HttpResponse> {
    let list = world.read(|db, _| {
        let mut list =
            db.prepare_cached("SELECT seq, phone, device, class, id FROM pending ORDER BY seq LIMIT 10000")?;
        let rows = list.query_map([], |r| {
            Ok(json!({
                "seq": r.get::<_, i64>(0)?, "phone": r.get::<_, u64>(1)?, "device": r.get::<_, u16>(2)?,
                "class": r.get::<_, String>(3)?, "id": r.get::<_, String>(4)?,
            }))
        })?;
        Ok(rows.collect::<rusqlite::Result<Vec<_>>>()?)
    })?;
    Ok(HttpResponse::Ok().json(list))
}

async fn info(world: Data) -> Result<HttpResponse> {
    let number = |db: &Connection, what: &str| -> Result<i64> { Ok(db.query_row(what, [], |r| r.get(0))?) };
    let (accounts, last_frame) = world.read(|db, _| {
        Ok((
            number(db, "SELECT count(*) FROM account")?,
            number(db, "SELECT coalesce(max(n), 0) FROM frame")?,
        ))
    })?;
    Ok(HttpResponse::Ok().json(json!({
        "version": env!("CARGO_PKG_VERSION"), "pid": std::process::id(), "accounts": accounts,
        "last_frame": last_frame, "url": world.url.get(), "media_host": world.media_host.get(), "noise_root": hex::encode(&world.keys.root),
    })))
}
