//! What callers, sources and operators may count on beside the data: traces, deadlines, liveness.

use std::collections::BTreeSet;
use std::net::SocketAddr;

use http::HeaderMap;
use sluis::proto::audit::ListDisclosuresRequest;
use sluis::sandbox::pseudonym;
use sluis::store::sqlite::{SqliteSettings, SqliteStore};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;

use crate::log_common::{self, Troubled};
use crate::spy::{Says, Spy, instead_of, on_store};
use crate::support::{Ask, PIETER, Plan, World};
use crate::walk::{betrayed, kind_of, secrets};

const TRACE: &str = "0af7651916cd43dd8448eb211c80319c";

/// What a caller may send along, none of which is a source's business.
const ALONG: [(&str, &str); 7] = [
    ("traceparent", "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"),
    ("tracestate", "vendor=niet-opgegeven"),
    ("baggage", "user=niet-opgegeven"),
    ("sluis-request-id", "batch-7/1"),
    ("x-forwarded-for", "192.0.2.7"),
    ("user-agent", "grpc-java-netty/1.2"),
    ("grpc-timeout", "5000m"),
];

#[tokio::test]
async fn a_source_sees_a_fresh_trace_our_deadline_and_nothing_of_the_caller() {
    let mut world = World::start("upstream").await;
    let housing = Spy::start(&world, Says::File(PIETER)).await;
    let magda = Spy::start(&world, Says::Text(500, String::new())).await;
    instead_of(&mut world, "housing", &housing).await;
    instead_of(&mut world, "rijksregister", &magda).await;
    housing.answer();
    magda.answer();
    let ask = Ask { more: &ALONG, ..Ask::housing(PIETER) };
    let (released, seen) = tokio::join!(world.call(&ask), housing.question());
    let index = released.unwrap().log_index.unwrap();
    assert_eq!(names(&seen), ["content-type", "grpc-timeout", "te", "traceparent"].into());
    traced(&world, index, &seen).await;
    let timeout = seen["grpc-timeout"].to_str().unwrap();
    let millis: u64 = timeout.strip_suffix('m').unwrap().parse().unwrap();
    assert!((1..=5000).contains(&millis), "{timeout}");

    let ask = Ask { more: &ALONG, ..Ask::default() };
    let (refused, seen) = tokio::join!(world.call(&ask), magda.question());
    let index = refused.unwrap_err().log_index.unwrap();
    assert_eq!(names(&seen), ["content-length", "content-type", "host", "soapaction", "traceparent"].into());
    traced(&world, index, &seen).await;
}

fn names(headers: &HeaderMap) -> BTreeSet<&str> {
    headers.keys().map(http::HeaderName::as_str).collect()
}

/// The entries name the caller's trace and request; the source's trace is the ASKED entry.
async fn traced(world: &World, index: u64, seen: &HeaderMap) {
    let entries = world.entries(ListDisclosuresRequest::default()).await;
    let closing = entries.iter().find(|entry| entry.index == index).unwrap();
    let asked = entries.iter().find(|entry| Some(entry.index) == closing.asked).unwrap();
    for entry in [closing, asked] {
        assert_eq!((entry.trace_id.as_str(), entry.request_id.as_str()), (TRACE, "batch-7/1"));
    }
    let sent = seen["traceparent"].to_str().unwrap();
    assert_eq!(sent.len(), 55);
    assert_eq!(sent.split('-').nth(1).unwrap(), asked.entry_id.replace('-', ""));
    assert!(!sent.contains(TRACE) && !sent.contains("b7ad6b7169203331"));
}

#[tokio::test]
async fn every_question_that_a_source_saw_is_an_entry() {
    let world = World::planned("journal", Plan { journal: true, ..Plan::default() }).await;
    let mut expected = Vec::new();
    for ask in [Ask::default(), Ask::housing(PIETER), Ask { purpose: "marketing", ..Ask::default() }] {
        let _ = world.call(&ask).await;
    }
    for entry in world.entries(ListDisclosuresRequest::default()).await {
        if kind_of(&entry) == "KIND_ASKED" {
            let source = if entry.source == "housing" { "housing" } else { "magda" };
            let (trace, subject) = (entry.entry_id.replace('-', ""), pseudonym(&entry.subject_asked));
            expected.push(format!("{source}\t{trace}\t{subject}"));
        }
    }
    let journal = std::fs::read_to_string(world.folder.0.join("journal.tsv")).unwrap();
    assert_eq!(journal.lines().collect::<Vec<_>>(), expected);
    assert_eq!(expected.len(), 2);
}

/// An HTTP/1.1 exchange as a probe or a scraper would make it: status and body.
pub async fn get(address: SocketAddr, path: &str) -> (u16, String) {
    let mut stream = TcpStream::connect(address).await.unwrap();
    let request = format!("GET {path} HTTP/1.1\r\nHost: {address}\r\nConnection: close\r\n\r\n");
    stream.write_all(request.as_bytes()).await.unwrap();
    let mut text = String::new();
    stream.read_to_string(&mut text).await.unwrap();
    let (head, body) = text.split_once("\r\n\r\n").unwrap();
    (head.split(' ').nth(1).unwrap().parse().unwrap(), body.to_owned())
}

#[tokio::test]
async fn liveness_follows_the_log_and_metrics_name_nobody() {
    let mut world = World::start("live").await;
    world.stop().await;
    let store =
        Troubled::new(SqliteStore::open(SqliteSettings::new(&world.config.log.database)).await.unwrap());
    on_store(&mut world, store.clone()).await;
    let operator = world.running().metrics.unwrap();
    assert!(operator.ip().is_loopback());
    assert_eq!(get(operator, "/live").await, (200, "live\n".to_owned()));
    world.call(&Ask::default()).await.unwrap();
    let _ = world.call(&Ask { purpose: "marketing", ..Ask::default() }).await;

    store.meet(log_common::Trouble::Breaks);
    let refusal = world.call(&Ask::default()).await.unwrap_err();
    assert_eq!(refusal.reason.as_deref(), Some("DISCLOSURE_LOG_UNAVAILABLE"));
    let (status, why) = get(operator, "/live").await;
    assert_eq!(status, 503, "{why}");
    let (status, metrics) = get(operator, "/metrics").await;
    assert_eq!(status, 200);
    assert!(
        metrics.contains("sluis_exchanges_refused_total{reason=\"DISCLOSURE_LOG_UNAVAILABLE\"}"),
        "{metrics}"
    );
    let secrets = secrets();
    assert_eq!(betrayed(&secrets, &metrics), None);
    assert_eq!(betrayed(&secrets, &why), None);
    assert_eq!(get(operator, "/").await.0, 404);
}
