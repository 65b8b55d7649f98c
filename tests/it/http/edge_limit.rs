//! How much one caller may ask.

use std::net::{IpAddr, Ipv6Addr};
use std::num::NonZeroU32;

use actix_web::http::Method;
use actix_web::http::header::{AUTHORIZATION, HeaderMap, HeaderValue};
use actix_web::test::TestRequest;
use columba::config::http::{EdgeLimits, HttpOptions};
use columba::http::middleware::edge_limit::Caller;
use columba::http::origin::Origin;
use columba::http::presented::Presented;
use columba::tenancy::keys::KeyText;
use columba::tenancy::operator::OperatorToken;
use rand::rngs::StdRng;
use rand::{RngExt as _, SeedableRng as _};

use super::world::{World, request};

fn world(per_second: u32, burst: u32, bad_keys_per_minute: u32) -> World {
    let n = |n| NonZeroU32::new(n).unwrap();
    let edge_limit = EdgeLimits {
        per_second: n(per_second),
        burst: n(burst),
        bad_keys_per_minute: n(bad_keys_per_minute),
    };
    World::with(&HttpOptions { edge_limit, ..HttpOptions::default() })
}

#[actix_web::test]
async fn a_key_spends_its_burst_hears_when_to_come_back_and_leaves_others_alone() {
    let world = world(2, 4, 30);
    let other = world.add_key(world.tenant, |_| ());
    for left in (0..4).rev() {
        let reply = world.ask(Method::GET, "/v1/sessions", None).await;
        assert_eq!(reply.status, 200);
        assert_eq!(reply.header("ratelimit-policy"), r#""default";q=4;w=2"#);
        let full_in = (4_i32 - left).div_euclid(2) + (4 - left) % 2;
        assert_eq!(reply.header("ratelimit"), format!(r#""default";r={left};t={full_in}"#));
    }
    let refused = world.ask(Method::GET, "/v1/sessions", None).await;
    assert_eq!(refused.problem().1, "rate_limited");
    assert_eq!((refused.header("retry-after"), refused.header("ratelimit")), ("1", r#""default";r=0;t=1"#));
    assert_eq!(world.send(request(Method::GET, "/v1/sessions", &other, None)).await.status, 200);
    world.fakes.advance(500);
    assert_eq!(world.ask(Method::GET, "/v1/sessions", None).await.status, 200);
    assert_eq!(world.ask(Method::GET, "/v1/sessions", None).await.status, 429);
}

#[actix_web::test]
async fn behind_a_trusted_proxy_each_caller_is_counted_by_its_own_address() {
    let n = |n| NonZeroU32::new(n).unwrap();
    let edge_limit = EdgeLimits { per_second: n(1), burst: n(1), bad_keys_per_minute: n(30) };
    let trusted_proxies = vec!["10.0.0.0/8".parse().unwrap()];
    let world = World::with(&HttpOptions { edge_limit, trusted_proxies, ..HttpOptions::default() });
    for (peer, caller, status) in [
        ("10.0.0.1", "192.0.2.1", 401),
        ("10.0.0.1", "192.0.2.2", 401),
        ("10.0.0.2", "192.0.2.1", 429),
        ("198.51.100.1", "192.0.2.3", 401),
        ("198.51.100.1", "192.0.2.4", 429), // It speaks for itself, whatever it says.
    ] {
        let get = TestRequest::get().uri("/v1/sessions").peer_addr(format!("{peer}:9").parse().unwrap());
        let reply = world.send(get.insert_header(("x-forwarded-for", caller))).await;
        assert_eq!(reply.status, status, "{caller} over {peer}");
    }
}

#[actix_web::test]
async fn whoever_shows_no_key_is_counted_by_address_and_health_is_not_counted() {
    let world = world(1, 1, 30);
    let from = |address: &str, path: &str| {
        let get = TestRequest::get().uri(path).peer_addr(format!("{address}:9").parse().unwrap());
        world.send(get)
    };
    for (address, status) in [
        ("192.0.2.1", 401),
        ("192.0.2.1", 429),
        ("192.0.2.2", 401),
        ("[2001:db8:0:1::1]", 401),
        ("[2001:db8:0:1:ffff::2]", 429),
        ("[2001:db8:0:2::1]", 401),
        ("[::ffff:192.0.2.1]", 429),
    ] {
        assert_eq!(from(address, "/v1/sessions").await.problem().0, status, "{address}");
    }
    for _ in 0..3 {
        let reply = from("192.0.2.1", "/livez").await;
        assert_eq!((reply.status, reply.header("ratelimit")), (200, ""));
    }
}

#[actix_web::test]
async fn bad_keys_end_in_429_and_a_good_one_from_the_same_address_is_served() {
    let world = world(1_000, 2_000, 3);
    let bad = || async {
        let key = KeyText::mint(false, &mut rand::rng());
        world.send(request(Method::GET, "/v1/sessions", key.expose(), None)).await
    };
    for _ in 0..3 {
        assert_eq!(bad().await.problem().0, 401);
    }
    let refused = bad().await;
    assert_eq!(refused.problem(), (429, "rate_limited".into(), String::new()));
    assert_eq!(refused.header("retry-after"), "20");
    assert_eq!(world.ask(Method::GET, "/v1/sessions", None).await.status, 200);
    world.fakes.advance(20_000);
    assert_eq!(bad().await.problem().0, 401);
}

#[actix_web::test]
async fn of_a_hundred_thousand_bad_keys_none_opens_and_their_senders_take_bounded_memory() {
    let world = world(1_000, 2_000, 30);
    let mut rng = StdRng::seed_from_u64(17);
    let operator = world.state.operator.expose().to_owned();
    for n in 0..100_000_u32 {
        let spoiled = |good: &str, rng: &mut StdRng| {
            let mut text = good.as_bytes().to_vec();
            let at = rng.random_range(0..text.len());
            text[at] = if text[at] == b'A' { b'B' } else { b'A' };
            String::from_utf8(text).unwrap()
        };
        let bad = match n % 4 {
            0 => KeyText::mint(n % 8 == 0, &mut rng).expose().to_owned(),
            1 => spoiled(&world.key, &mut rng),
            2 => spoiled(&operator, &mut rng),
            _ => OperatorToken::mint(&mut rng).expose().to_owned(),
        };
        let mut headers = HeaderMap::new();
        headers.insert(AUTHORIZATION, HeaderValue::from_str(&format!("Bearer {bad}")).unwrap());
        // Each from an address of its own, as far as they can be told apart.
        let from = IpAddr::V6(Ipv6Addr::from_bits((0x2001_0db8_u128 << 96) + (u128::from(n) << 64)));
        let presented = Presented::by_header(&headers, Origin(Some(from)), &world.state);
        assert!(presented.is_bad_key(), "{presented:?}");
        let _ = world.state.edge_limit.count_bad_key(Caller::Address(from)).await;
        let _ = world.state.edge_limit.take(Caller::Address(from)).await;
    }
    for n in 100_000..150_000_u128 {
        let from = IpAddr::V6(Ipv6Addr::from_bits((0x2001_0db8_u128 << 96) + (n << 64)));
        let _ = world.state.edge_limit.count_bad_key(Caller::Address(from)).await;
        let _ = world.state.edge_limit.take(Caller::Address(from)).await;
    }
    let remembered = world.state.edge_limit.remembered();
    assert!(remembered.iter().all(|&callers| callers <= 100_001), "{remembered:?}");
    assert_eq!(world.state.key_use.unwritten(), [], "nothing is kept of a bad key");
    // Whoever has been quiet for long enough is forgotten.
    world.fakes.advance(600_000);
    for _ in 0..4_096 {
        let _ = world.state.edge_limit.take(Caller::Crowd).await;
    }
    let remembered = world.state.edge_limit.remembered();
    assert!(remembered.iter().all(|&callers| callers <= 1), "{remembered:?}");
}
