//! The table of routes: the whole outside at a glance. A path that is not here answers 404; a method that is not, 405
//! with `Allow`.

use actix_web::dev::HttpServiceFactory;
use actix_web::middleware::from_fn;
use actix_web::web::{ServiceConfig, delete, get, patch, post, put, resource, scope, to};

use super::admin::{
    audit, door, feed as fleet_feed, invoices as all_invoices, keys, ledger, log, looks, me,
    messages as message_log, operators, overview, plans, second_factor, sessions as fleet, subscriptions,
    system, tenants, transports, webhooks as endpoints,
};
use super::answer::Answer;
use super::middleware::body::body;
use super::middleware::edge_limit::edge_limit;
use super::middleware::measure::measure;
use super::middleware::on_behalf::on_behalf;
use super::middleware::problems::problems;
use super::middleware::query_keys::query_keys;
use super::middleware::refused_operators::refused_operators;
use super::middleware::request_id::request_id;
use super::pages;
use super::reference;
use super::v1::{
    audit as own_audit, chats, deliveries, events, feed, health, invoices, limits, media, messages, metrics,
    pair, pairing, pairing_links, payments, sandbox, sessions, suppressions, timeline, usage, usage_days,
    webhooks, window,
};
use crate::domain::refusal::Refusal;

/// Mounts everything. The app's data has to hold a `web::Data<HttpState>` and, for the feed, a `web::Data<FeedState>`.
pub fn routes(config: &mut ServiceConfig) {
    config.service(guarded(|all| {
        all.configure(health::routes)
            .service(resource("/metrics").route(get().to(metrics::scrape)))
            .configure(reference::routes)
            .configure(pages::routes)
            .service(scope("/v1/admin").configure(admin).wrap(from_fn(refused_operators)))
            .service(
                scope("/v1")
                    .configure(|paths| {
                        v1(paths);
                        listening(paths);
                    })
                    .wrap(from_fn(on_behalf)),
            );
    }));
}

/// Mounts what a process serves that hands out the feed only: the same paths, with the same data.
pub fn feed_routes(config: &mut ServiceConfig) {
    config.service(guarded(|all| {
        all.configure(health::routes)
            .service(resource("/metrics").route(get().to(metrics::scrape_process)))
            .service(scope("/v1").configure(listening).default_service(to(elsewhere)));
    }));
}

fn guarded(table: impl FnOnce(&mut ServiceConfig)) -> impl HttpServiceFactory {
    // The last one wrapped is the first to see a request.
    scope("")
        .configure(table)
        .default_service(to(absent))
        .wrap(from_fn(body))
        .wrap(from_fn(query_keys))
        .wrap(from_fn(edge_limit))
        .wrap(from_fn(problems))
        .wrap(from_fn(request_id))
        .wrap(from_fn(measure))
}

fn listening(v1: &mut ServiceConfig) {
    v1.service(resource("/feed/tickets").route(post().to(feed::ticket)))
        .service(resource("/feed").route(get().to(feed::socket)))
        .service(resource("/events").route(get().to(events::stream)));
}

fn v1(v1: &mut ServiceConfig) {
    // Paths with a name in them are tried one after the other, so what is asked for most stands first.
    v1.service(resource("/sessions/{id}/messages").route(post().to(messages::send)))
        .service(resource("/sessions").route(get().to(sessions::list)).route(post().to(sessions::create)))
        .service(
            resource("/sessions/{id}").route(get().to(sessions::get)).route(delete().to(sessions::delete)),
        )
        .service(resource("/sessions/{id}/start").route(post().to(sessions::start)))
        .service(resource("/sessions/{id}/stop").route(post().to(sessions::stop)))
        .service(resource("/sessions/{id}/restart").route(post().to(sessions::restart)))
        .service(resource("/sessions/{id}/logout").route(post().to(sessions::logout)))
        .service(resource("/sessions/{id}/queue").route(delete().to(sessions::clear_queue)))
        .service(resource("/sessions/{id}/qr").route(get().to(pairing::qr)))
        .service(resource("/sessions/{id}/pairing-code").route(post().to(pairing::pairing_code)))
        .service(resource("/sessions/{id}/window").route(get().to(window::get)))
        .service(resource("/sessions/{id}/timeline").route(get().to(timeline::list)))
        .service(
            resource("/sessions/{id}/pairing-links")
                .route(post().to(pairing_links::create))
                .route(delete().to(pairing_links::take_back)),
        )
        .service(resource("/sessions/{id}/groups").route(get().to(chats::groups)))
        .service(resource("/sessions/{id}/contacts").route(get().to(chats::contacts)))
        .service(resource("/sessions/{id}/read").route(post().to(chats::read)))
        .service(resource("/sessions/{id}/typing").route(post().to(chats::typing)))
        .service(resource("/sessions/{id}/numbers/check").route(post().to(chats::check)))
        .service(resource("/messages").route(get().to(messages::list)))
        .service(
            resource("/messages/{id}").route(get().to(messages::get)).route(delete().to(messages::cancel)),
        )
        .service(resource("/messages/{id}/resend").route(post().to(messages::resend)))
        .service(resource("/media").route(post().to(media::create)))
        .service(resource("/media/{id}").route(get().to(media::get)).route(delete().to(media::delete)))
        .service(resource("/media/{id}/content").route(get().to(media::content)))
        .service(
            resource("/suppressions")
                .route(get().to(suppressions::list))
                .route(post().to(suppressions::create)),
        )
        .service(resource("/suppressions/{id}").route(delete().to(suppressions::delete)))
        .service(resource("/audit").route(get().to(own_audit::list)))
        .service(resource("/usage").route(get().to(usage::get)))
        .service(resource("/usage/days").route(get().to(usage_days::days)))
        .service(resource("/subscription").route(get().to(invoices::subscription)))
        .service(resource("/invoices").route(get().to(invoices::list)))
        .service(resource("/invoices/{id}").route(get().to(invoices::get_one)))
        .service(resource("/invoices/{id}/checkout").route(post().to(invoices::link)))
        .service(resource("/credit-notes/{id}").route(get().to(invoices::get_note)))
        .service(resource("/billing/portal").route(post().to(invoices::portal)))
        .service(resource("/payments/stripe").route(post().to(payments::stripe)))
        .service(resource("/limits").route(get().to(limits::get)))
        .service(resource("/webhooks").route(get().to(webhooks::list)).route(post().to(webhooks::create)))
        .service(
            resource("/webhooks/{id}")
                .route(get().to(webhooks::get))
                .route(patch().to(webhooks::patch))
                .route(delete().to(webhooks::delete)),
        )
        .service(resource("/webhooks/{id}/test").route(post().to(webhooks::test)))
        .service(resource("/webhooks/{id}/rotate").route(post().to(webhooks::rotate)))
        .service(resource("/webhooks/{id}/enable").route(post().to(webhooks::enable)))
        .service(resource("/webhooks/{id}/deliveries").route(get().to(deliveries::list)))
        .service(resource("/webhooks/{id}/redeliver").route(post().to(deliveries::redeliver_range)))
        .service(resource("/deliveries/{id}").route(get().to(deliveries::get)))
        .service(resource("/deliveries/{id}/redeliver").route(post().to(deliveries::redeliver)))
        .configure(pair::routes)
        .service(resource("/sandbox/scan").route(post().to(sandbox::scan)))
        .service(resource("/sandbox/messages").route(post().to(sandbox::write)))
        .service(resource("/sandbox/faults").route(post().to(sandbox::fault)))
        .service(resource("/sandbox/frames").route(get().to(sandbox::frames)));
}

fn admin(admin: &mut ServiceConfig) {
    admin
        .service(resource("/tenants").route(get().to(tenants::list)).route(post().to(tenants::create)))
        .service(
            resource("/tenants/{id}")
                .route(get().to(tenants::get))
                .route(patch().to(tenants::patch))
                .route(delete().to(tenants::delete)),
        )
        .service(resource("/tenants/{id}/suspend").route(post().to(tenants::suspend)))
        .service(resource("/tenants/{id}/resume").route(post().to(tenants::resume)))
        .service(resource("/tenants/{id}/keys").route(get().to(keys::list)).route(post().to(keys::create)))
        .configure(books)
        .service(resource("/keys/{id}").route(delete().to(keys::revoke)))
        .service(resource("/keys/{id}/rotate").route(post().to(keys::rotate)))
        .service(resource("/operators").route(get().to(operators::list)).route(post().to(operators::create)))
        .service(resource("/operators/setup-link").route(post().to(operators::setup_link)))
        .service(
            resource("/operators/{id}")
                .route(patch().to(operators::patch))
                .route(delete().to(operators::delete)),
        )
        .service(resource("/operators/{id}/invitation").route(post().to(operators::invite)))
        .service(resource("/tenants/{id}/looks").route(post().to(looks::open)))
        .service(resource("/looks/{id}").route(delete().to(looks::end)))
        .configure(people)
        .service(resource("/audit").route(get().to(audit::list)))
        .service(resource("/audit/head").route(get().to(audit::head)))
        .service(resource("/plans").route(get().to(plans::list)).route(post().to(plans::create)))
        .service(
            resource("/plans/{id}")
                .route(get().to(plans::get))
                .route(put().to(plans::put))
                .route(delete().to(plans::delete)),
        )
        .service(resource("/sessions").route(get().to(fleet::list)))
        .service(
            resource("/sessions/{id}/proxy")
                .route(put().to(fleet::set_proxy))
                .route(delete().to(fleet::clear_proxy)),
        )
        .service(resource("/sessions/{id}").route(get().to(fleet::get_one)))
        .service(resource("/messages").route(get().to(message_log::list)))
        .service(resource("/messages/{id}").route(get().to(message_log::get_one)))
        .service(resource("/feed/tickets").route(post().to(fleet_feed::ticket)))
        .service(resource("/overview").route(get().to(overview::get_one)))
        .service(resource("/transports").route(get().to(transports::list)))
        .service(resource("/webhooks").route(get().to(endpoints::list)))
        .service(resource("/system").route(get().to(system::get_one)))
        .service(resource("/backups").route(get().to(system::backups)).route(post().to(system::back_up)))
        .service(resource("/log").route(get().to(log::read)).route(put().to(log::write)));
}

fn people(admin: &mut ServiceConfig) {
    admin
        .service(resource("/door").route(get().to(door::look)))
        .service(resource("/door/setup").route(post().to(door::setup)))
        .service(resource("/door/sign-in").route(post().to(door::sign_in)))
        .service(resource("/door/welcome").route(post().to(door::welcome)))
        .service(resource("/me").route(get().to(me::me)))
        .service(resource("/me/sign-out").route(post().to(me::sign_out)))
        .service(resource("/me/sign-out-everywhere").route(post().to(me::sign_out_everywhere)))
        .service(resource("/me/sign-ins").route(get().to(me::sign_ins)))
        .service(resource("/me/sign-ins/{id}").route(delete().to(me::end)))
        .service(resource("/me/step-up").route(post().to(me::step_up)))
        .service(resource("/me/password").route(post().to(me::password)))
        .service(
            resource("/me/totp")
                .route(post().to(second_factor::propose))
                .route(delete().to(second_factor::remove)),
        )
        .service(resource("/me/totp/confirm").route(post().to(second_factor::confirm)));
}

fn books(admin: &mut ServiceConfig) {
    let of_tenant = |path: &str| resource(format!("/tenants/{{id}}/{path}"));
    let of_invoice = |path: &str| resource(format!("/invoices/{{id}}/{path}"));
    admin
        .service(
            of_tenant("subscription")
                .route(get().to(subscriptions::get_one))
                .route(patch().to(subscriptions::change)),
        )
        .service(of_tenant("subscription/preview").route(get().to(subscriptions::preview)))
        .service(of_tenant("subscription/cancel").route(post().to(subscriptions::cancel)))
        .service(of_tenant("subscription/reactivate").route(post().to(subscriptions::reactivate)))
        .service(
            of_tenant("billing-profile")
                .route(get().to(ledger::profile))
                .route(put().to(ledger::put_profile)),
        )
        .service(of_tenant("invoices").route(get().to(all_invoices::list_of_tenant)))
        .service(of_tenant("ledger").route(get().to(ledger::list)))
        .service(of_tenant("credits").route(post().to(ledger::grant)))
        .service(of_tenant("refunds").route(post().to(ledger::refund)))
        .service(resource("/invoices").route(get().to(all_invoices::list)))
        .service(resource("/invoices/{id}").route(get().to(all_invoices::get_one)))
        .service(of_invoice("pay").route(post().to(all_invoices::pay)))
        .service(of_invoice("void").route(post().to(all_invoices::void)))
        .service(of_invoice("write-off").route(post().to(all_invoices::write_off)))
        .service(of_invoice("credit-notes").route(post().to(all_invoices::credit)))
        .service(of_invoice("checkout").route(post().to(all_invoices::link)))
        .service(of_invoice("collect").route(post().to(all_invoices::collect)))
        .service(resource("/credit-notes/{id}").route(get().to(all_invoices::get_note)));
}

async fn elsewhere() -> Answer {
    let detail = "this process hands out the feed only (/v1/feed, /v1/events, /v1/feed/tickets); ask the server itself";
    Err(Refusal { detail: detail.to_owned(), ..Refusal::not_found() }.into())
}

async fn absent() -> Answer {
    Err(Refusal::not_found().into())
}
