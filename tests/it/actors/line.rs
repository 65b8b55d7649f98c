//! Which way a session connects: read before every link, and never past a proxy that is set.

use std::time::Duration;

use columba::domain::audit::Actor;
use columba::domain::proxy::{self, Proxy};
use columba::domain::scope::SystemScope;
use columba::domain::session::{CloseReason, Engine, Reason, Session, SessionStatus};
use columba::ports::sealer::Sealer as _;

use super::fleet::Fleet;
use crate::support::webhooks::OpenSealer;

const URL: &str = "socks5://somebody:hunter2@proxy.example:1080";

fn proxy() -> Option<Proxy> {
    Some(Proxy::parse(URL, Engine::Native).unwrap())
}

impl Fleet {
    async fn set_proxy(&self, session: &Session, sealed: Option<Vec<u8>>) {
        let set = self.stores.sessions.set_proxy(SystemScope, session.id, sealed, Actor::root()).await;
        assert!(set.unwrap().is_some());
    }

    async fn sealed(&self, session: &Session) -> Option<Vec<u8>> {
        let place = proxy::place(session.id);
        Some(OpenSealer.seal(session.tenant, &place, URL.as_bytes()).await.unwrap())
    }
}

#[actix::test]
async fn a_proxy_holds_from_the_next_link_on_and_so_does_its_end() {
    let mut fleet = Fleet::start().await;
    fleet.engine = Engine::Native;
    let (session, _) = fleet.connected().await;
    assert_eq!(fleet.network.ways(session.id), [None]);
    fleet.set_proxy(&session, fleet.sealed(&session).await).await;
    fleet.pass(Duration::from_secs(60)).await;
    assert_eq!(fleet.network.ways(session.id), [], "a line that stands is kept");
    for wanted in [proxy(), None] {
        fleet.network.hang_up(session.id, CloseReason::TransportLost);
        fleet.until(session.id, SessionStatus::Reconnecting).await;
        fleet.until(session.id, SessionStatus::Connected).await;
        assert_eq!(fleet.network.ways(session.id), [wanted]);
        fleet.set_proxy(&session, None).await;
    }
    fleet.finish().await;
}

#[actix::test]
async fn a_session_whose_proxy_cannot_be_opened_does_not_connect_and_says_why() {
    let mut fleet = Fleet::start().await;
    fleet.engine = Engine::Native;
    let (session, _) = fleet.connected().await;
    fleet.network.ways(session.id);
    // Sealed for another session.
    let moved = OpenSealer.seal(session.tenant, "sessions/ses_1/proxy", URL.as_bytes()).await.unwrap();
    fleet.set_proxy(&session, Some(moved)).await;
    fleet.network.hang_up(session.id, CloseReason::TransportLost);
    fleet.until(session.id, SessionStatus::Reconnecting).await;
    fleet.pass(Duration::from_secs(600)).await;
    assert_eq!(fleet.network.ways(session.id), [], "not once, not directly");
    let standing = fleet.standing(session.id).await;
    assert_eq!(standing, (SessionStatus::Reconnecting, Some(Reason::ProxyFailed)));
    fleet.set_proxy(&session, fleet.sealed(&session).await).await;
    fleet.until(session.id, SessionStatus::Connected).await;
    assert_eq!(fleet.network.ways(session.id), [proxy()]);
    fleet.finish().await;
}
