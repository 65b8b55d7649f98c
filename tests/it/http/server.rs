//! The listening server, over a real socket.

use columba::config::http::HttpOptions;
use columba::http::routes;
use columba::http::server::serve;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;

use super::world::World;

async fn exchange(address: std::net::SocketAddr, request: String) -> String {
    let mut socket = TcpStream::connect(address).await.unwrap();
    socket.write_all(request.as_bytes()).await.unwrap();
    let mut reply = String::new();
    socket.read_to_string(&mut reply).await.unwrap();
    reply
}

#[actix_web::test]
async fn it_serves_on_the_address_it_names_refuses_huge_bodies_and_ends_when_told() {
    let options = HttpOptions { listen: "127.0.0.1:0".into(), ..HttpOptions::default() };
    let world = World::with(&options);
    let (server, address) = serve(routes, world.state.clone(), world.feed().await, &options).unwrap();
    let handle = server.handle();
    let running = actix_web::rt::spawn(server);

    let alive = exchange(address, "GET /livez HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n".into()).await;
    assert!(alive.starts_with("HTTP/1.1 200"), "{alive}");
    let head = exchange(address, "HEAD /livez HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n".into()).await;
    assert!(head.starts_with("HTTP/1.1 200") && head.ends_with("\r\n\r\n"), "{head}");

    // Announces a gigabyte and sends none of it: the answer comes at once and the connection is closed.
    let path = world.messages_path();
    let huge = format!("POST {path} HTTP/1.1\r\nhost: x\r\ncontent-length: 1000000000\r\n\r\n");
    let refused = exchange(address, huge).await;
    assert!(refused.starts_with("HTTP/1.1 413") && refused.contains("payload_too_large"), "{refused}");

    let chunk = format!("{:x}\r\n{}\r\n", 300_000, "x".repeat(300_000));
    let chunked =
        format!("POST {path} HTTP/1.1\r\nhost: x\r\ntransfer-encoding: chunked\r\n\r\n{chunk}0\r\n\r\n");
    let refused = exchange(address, chunked).await;
    assert!(refused.starts_with("HTTP/1.1 413"), "{refused}");

    handle.stop(true).await;
    running.await.unwrap().unwrap();
    assert!(TcpStream::connect(address).await.is_err());
}

#[actix_web::test]
async fn an_address_that_is_taken_is_an_error_at_once() {
    let taken = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let options = HttpOptions { listen: taken.local_addr().unwrap().to_string(), ..HttpOptions::default() };
    let world = World::with(&options);
    assert!(serve(routes, world.state.clone(), world.feed().await, &options).is_err());
}

#[actix_web::test]
async fn a_body_that_does_not_arrive_is_given_up_and_its_connection_closed() {
    let options = HttpOptions {
        listen: "127.0.0.1:0".into(),
        body_timeout_s: std::num::NonZeroU32::MIN,
        ..HttpOptions::default()
    };
    let world = World::with(&options);
    let (server, address) = serve(routes, world.state.clone(), world.feed().await, &options).unwrap();
    let handle = server.handle();
    let running = actix_web::rt::spawn(server);
    let path = world.messages_path();
    let stuck = format!("POST {path} HTTP/1.1\r\nhost: x\r\ncontent-length: 10\r\n\r\n{{");
    let reply = tokio::time::timeout(std::time::Duration::from_secs(20), exchange(address, stuck));
    let reply = reply.await.expect("the connection is closed");
    assert!(reply.starts_with("HTTP/1.1 400") && reply.contains("did not arrive in time"), "{reply}");
    handle.stop(false).await;
    running.await.unwrap().unwrap();
}
