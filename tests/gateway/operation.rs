//! What an operator may count on: one gateway to a log, health that follows the log, a lost mark that can be accepted.

use std::time::Duration;

use http::Request;
use http_body_util::BodyExt as _;
use hyper::client::conn::http2::Builder;
use hyper_util::rt::{TokioExecutor, TokioIo};
use sluis::cli::{Exit, log, serve};
use sluis::config::Config;
use sluis::identity::tls::ALPN_H2;
use sluis::rpc::audit::LIST_DISCLOSURES;
use sluis::store::sqlite::{SqliteSettings, SqliteStore};

use crate::log_common::Troubled;
use crate::raw::{Raw, tls, unregistered};
use crate::spy::on_store;
use crate::support::{Ask, PERSON, Plan, World};

const CHECK: &str = "/grpc.health.v1.Health/Check";
const WATCH: &str = "/grpc.health.v1.Health/Watch";

/// `HealthCheckResponse`, framed: SERVING is 1, `NOT_SERVING` 2.
const SERVING: &[u8] = b"\0\0\0\0\x02\x08\x01";
const NOT_SERVING: &[u8] = b"\0\0\0\0\x02\x08\x02";
/// An empty message.
const WHOLE: &[u8] = b"\0\0\0\0\0";

#[tokio::test]
async fn a_second_gateway_on_a_log_is_refused_and_the_first_goes_on() {
    let mut world = World::start("second").await;
    let second = serve::start(world.config.clone()).await.err().unwrap();
    assert!(second.message.contains("another gateway writes this log"), "{}", second.message);
    world.call(&Ask::default()).await.unwrap();
    world.stop().await;
    world.running = Some(serve::start(world.config.clone()).await.unwrap());
    world.call(&Ask::default()).await.unwrap();
}

#[tokio::test]
async fn health_follows_the_log() {
    let mut world = World::start("health").await;
    world.stop().await;
    let store =
        Troubled::new(SqliteStore::open(SqliteSettings::new(&world.config.log.database)).await.unwrap());
    on_store(&mut world, store.clone()).await;
    let mut raw = Raw::open(&world, &world.setting.party("stad-leuven").unwrap().issued).await;
    assert_eq!(raw.send(CHECK, &[], WHOLE).await.body, SERVING);
    store.fill(true);
    world.call(&Ask::default()).await.unwrap_err();
    while raw.send(CHECK, &[], WHOLE).await.body != NOT_SERVING {
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    // Nobody calls who is not serving: the log finds out by itself.
    store.fill(false);
    while raw.send(CHECK, &[], WHOLE).await.body != SERVING {
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}

#[tokio::test]
async fn who_watches_health_is_told_of_the_drain_and_does_not_hold_it_up() {
    let patient = |text: String| format!("{text}\n[limits]\ndrain_ms = 600000\n");
    let mut world = World::planned("watched", Plan { configure: patient, ..Plan::default() }).await;
    let mut raw = Raw::open(&world, &world.setting.party("stad-leuven").unwrap().issued).await;
    let watching = raw.begin(WATCH, WHOLE).await;
    let mut told = watching.into_body();
    let first = told.frame().await.unwrap().unwrap().into_data().unwrap();
    assert_eq!(first, SERVING);
    let (rest, ()) = tokio::join!(told.collect(), world.stop());
    assert_eq!(rest.unwrap().to_bytes(), NOT_SERVING);
}

#[tokio::test]
async fn a_lost_mark_is_accepted_where_the_configuration_says_so() {
    let mut world = World::start("lost-mark").await;
    world.call(&Ask::default()).await.unwrap();
    world.stop().await;
    let kept = std::fs::read_to_string(&world.config.log.head).unwrap();
    std::fs::remove_file(&world.config.log.head).unwrap();
    let unmarked = log::verify(&world.config, Vec::new()).await.err().unwrap();
    assert_eq!(unmarked.exit, Exit::Fault);
    assert!(unmarked.message.contains("high-water mark"), "{}", unmarked.message);
    assert!(
        log::verify(&world.config, vec![kept]).await.is_ok(),
        "a checkpoint that was kept stands in for it"
    );
    let refused = serve::start(world.config.clone()).await.err().unwrap();
    assert!(refused.message.contains("log.accept_missing_mark = true"), "{}", refused.message);

    let text = std::fs::read_to_string(world.setting.config()).unwrap();
    let accepting = text.replace("[log]\n", "[log]\naccept_missing_mark = true\n");
    std::fs::write(world.setting.config(), accepting).unwrap();
    let config = Config::read(&world.setting.config()).unwrap();
    world.running = Some(serve::start(config).await.unwrap());
    world.call(&Ask::default()).await.unwrap();
    world.verify().await;
}

/// A body that never ends.
struct Endless;

impl http_body::Body for Endless {
    type Data = bytes::Bytes;
    type Error = std::convert::Infallible;

    fn poll_frame(
        self: std::pin::Pin<&mut Self>,
        _: &mut std::task::Context<'_>,
    ) -> std::task::Poll<Option<Result<http_body::Frame<bytes::Bytes>, Self::Error>>> {
        std::task::Poll::Pending
    }
}

#[tokio::test]
async fn what_a_stranger_sends_is_not_waited_for() {
    let patient = |text: String| format!("{text}\n[limits]\ndeadline_ms = 600000\n");
    let world = World::planned("stranger", Plan { configure: patient, ..Plan::default() }).await;
    let stream = tls(&world, &unregistered(&world, "stranger"), &[ALPN_H2]).await.unwrap();
    let connecting = Builder::new(TokioExecutor::new()).handshake(TokioIo::new(stream));
    let (mut sender, connection) = connecting.await.unwrap();
    tokio::spawn(connection);
    for path in [PERSON, LIST_DISCLOSURES, "/grpc.health.v1.Health/Check", "/grpc.health.v1.Health/Watch"] {
        let request = Request::post(format!("https://localhost{path}")).body(Endless).unwrap();
        sender.ready().await.unwrap();
        let response = sender.send_request(request).await.unwrap();
        assert_eq!(response.headers()["grpc-status"], "16", "{path}");
    }
}

/// Strangers who stay would take the places of others; who is known stays.
#[tokio::test]
async fn a_stranger_is_told_and_then_shown_out() {
    let hasty = |text: String| format!("{text}\n[limits]\nhandshake_ms = 200\n");
    let world = World::planned("shown-out", Plan { configure: hasty, ..Plan::default() }).await;
    let caller = &world.setting.party("stad-leuven").unwrap().issued;
    let mut known = Raw::open(&world, caller).await;
    let stranger = unregistered(&world, "stranger");
    let stream = tls(&world, &stranger, &[ALPN_H2]).await.unwrap();
    let connecting = Builder::new(TokioExecutor::new()).handshake::<_, Endless>(TokioIo::new(stream));
    let (sender, connection) = connecting.await.unwrap();
    let _ = connection.await;
    assert!(sender.is_closed());
    let health = known.begin("/grpc.health.v1.Health/Check", &b"\0\0\0\0\0"[..]).await;
    assert_eq!(health.status(), 200, "who was there before is there still");
}

/// Who sends is known before what it sends is waited for: a registered key alone takes nobody's place.
#[tokio::test]
async fn a_message_is_not_waited_for_before_it_is_known_who_sends_it() {
    let patient = |text: String| format!("{text}\n[limits]\ndeadline_ms = 600000\n");
    let world = World::planned("headers-first", Plan { configure: patient, ..Plan::default() }).await;
    let stad = world.setting.party("stad-leuven").unwrap();
    let stream = tls(&world, &stad.issued, &[ALPN_H2]).await.unwrap();
    let (mut sender, connection) =
        Builder::new(TokioExecutor::new()).handshake(TokioIo::new(stream)).await.unwrap();
    tokio::spawn(connection);
    let bearer = format!("Bearer {}", world.token("stad-leuven"));
    // No token; a token, but no auditor's; another's token.
    let others = format!("Bearer {}", world.token("ocmw-leuven"));
    for (path, token, status) in [
        (PERSON, "", "16"),
        (PERSON, &*others, "16"),
        (LIST_DISCLOSURES, "", "16"),
        (LIST_DISCLOSURES, &*bearer, "7"),
    ] {
        let request = Request::post(format!("https://localhost{path}")).header("authorization", token);
        sender.ready().await.unwrap();
        let response = sender.send_request(request.body(Endless).unwrap()).await.unwrap();
        assert_eq!(response.headers()["grpc-status"], status, "{path}");
    }
}

/// Of one key's messages only so many are received at once; who is beyond them waits, and others do not.
#[tokio::test]
async fn one_caller_does_not_take_all_places_for_messages() {
    let world = World::planned("places", Plan::default()).await;
    let stad = world.setting.party("stad-leuven").unwrap();
    let stream = tls(&world, &stad.issued, &[ALPN_H2]).await.unwrap();
    let (mut sender, connection) =
        Builder::new(TokioExecutor::new()).handshake(TokioIo::new(stream)).await.unwrap();
    tokio::spawn(connection);
    let bearer = format!("Bearer {}", world.token("stad-leuven"));
    let ask = |timeout: &str| {
        let mut request = Request::post(format!("https://localhost{PERSON}"))
            .header("authorization", &bearer)
            .header("grpc-timeout", timeout);
        for (name, value) in Ask::default().metadata() {
            request = request.header(name, value);
        }
        request.body(Endless).unwrap()
    };
    let mut held = Vec::new();
    for _ in 0..128 {
        sender.ready().await.unwrap();
        held.push(sender.send_request(ask("9S")));
    }
    sender.ready().await.unwrap();
    let beyond = sender.send_request(ask("300m")).await.unwrap();
    assert_eq!(beyond.headers()["grpc-status"], "4", "nobody had time for it");
    world.call(&Ask { who: "ocmw-leuven", ..Ask::default() }).await.expect("another has places of its own");
}
