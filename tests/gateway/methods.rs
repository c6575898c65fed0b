//! Every method that the descriptors hold, called without rights.

use std::collections::BTreeSet;

use sluis::cli::client::Client;
use sluis::domain::catalogue::Catalogue;
use sluis::domain::reason::Reason;
use sluis::proto::audit::{Kind, ListDisclosuresRequest};
use sluis::rpc::audit::LIST_DISCLOSURES;
use sluis::sandbox::Played;

use crate::raw::{Raw, unregistered};
use crate::support::{Ask, PERSON, PIETER, Plan, World};
use crate::walk::{Logged, Walk, kind_of};

/// Paths of all methods of the embedded descriptor set.
fn every_method(world: &World) -> BTreeSet<String> {
    let pool = world.vocabulary.method(PERSON).unwrap().input.parent_pool().clone();
    let methods = pool.services().flat_map(|service| service.methods().collect::<Vec<_>>());
    methods.map(|method| format!("/{}/{}", method.parent_service().full_name(), method.name())).collect()
}

/// Every purpose of every instrument of the demo.
fn every_purpose(world: &World) -> Vec<(String, String)> {
    let files = sluis::cli::protocol::load(&world.config.protocols).unwrap();
    let catalogue = Catalogue::compile(&files, &world.vocabulary);
    let of = |one: &sluis::domain::instrument::Instrument| {
        let id = one.id.to_string();
        one.purposes.iter().map(|purpose| (id.clone(), purpose.id.to_string())).collect::<Vec<_>>()
    };
    catalogue.instruments().flat_map(of).collect()
}

/// What a method is asked with; a question about a person where it is about one.
fn question(world: &World, path: &str) -> Vec<u8> {
    world.vocabulary.method(path).map_or_else(Vec::new, |_| world.question(path, PIETER))
}

#[tokio::test]
async fn a_call_without_rights_leaves_an_entry_and_no_data() {
    let world = World::start("methods").await;
    let methods = every_method(&world);
    assert!(
        methods.contains(LIST_DISCLOSURES) && methods.contains(PERSON) && methods.len() >= 4,
        "{methods:?}"
    );
    let purposes = every_purpose(&world);
    assert!(purposes.len() >= 7, "{purposes:?}");
    let mut walk = Walk::new();
    // Party to none but an instrument that has been superseded.
    let (client, token) = (world.client("stad-kortrijk"), world.token("stad-kortrijk"));
    let mut calls = Vec::new();
    for path in &methods {
        for (protocol, purpose) in &purposes {
            let ask = Ask { protocol, purpose, ..Ask::default() };
            let outcome = client.call(path, &token, &ask.metadata(), &question(&world, path)).await;
            let expected = match (path.as_str(), protocol.as_str()) {
                (LIST_DISCLOSURES, _) => Reason::AuditorOnly,
                (_, "rr-28-2009") => Reason::ProtocolNotInForce,
                _ => Reason::RequesterNotParty,
            };
            let refusal = walk.meet(format!("{path} for {purpose}"), outcome, expected, Logged::Refused);
            calls.push((refusal.log_index.unwrap(), path));
        }
    }
    walk.hold_against_log(&world).await;
    assert_eq!(calls.len(), methods.len() * purposes.len());
    let entries = world.entries(ListDisclosuresRequest::default()).await;
    for (index, path) in calls {
        let entry = entries.iter().find(|entry| entry.index == index).unwrap();
        assert_eq!((&entry.method, entry.requester.as_str()), (path, "0207494678"));
    }
    assert_eq!(world.sandbox.questions(Played::Magda) + world.sandbox.questions(Played::Housing), 0);
    world.verify().await;
}

#[tokio::test]
async fn a_stranger_learns_nothing_and_leaves_nothing() {
    let world = World::start("stranger").await;
    let stranger = unregistered(&world, "stranger");
    let client =
        Client::new(&world.address(), &world.setting.authority(), &stranger.certificate, &stranger.key)
            .unwrap();
    let mut said = BTreeSet::new();
    let size = world.verify().await;
    for path in every_method(&world).iter().map(String::as_str).chain(["/no.such.v1.Service/Method"]) {
        for token in [String::new(), "x".into(), world.token("stad-leuven"), world.token("audit-leuven")] {
            for (message, protocol) in [(question(&world, path), "rr-leuven"), (b"\xff".to_vec(), "no such")] {
                let ask = Ask { protocol, ..Ask::default() };
                let refusal = client.call(path, &token, &ask.metadata(), &message).await.unwrap_err();
                let mut headers = refusal.headers.clone();
                headers.remove("date");
                said.insert(format!("{headers:?}"));
            }
        }
    }
    assert_eq!(said.len(), 1, "whatever it asks, it hears the same: {said:?}");
    assert!(said.first().unwrap().contains("grpc-status\": \"16"));
    assert_eq!(world.verify().await, size);
    assert_eq!(world.sandbox.questions(Played::Magda) + world.sandbox.questions(Played::Housing), 0);
}

#[tokio::test]
async fn health_answers() {
    let world = World::start("health").await;
    let client = world.client("stad-leuven");
    let check = "/grpc.health.v1.Health/Check";
    let serving = client.call(check, "", &[], b"").await.unwrap();
    assert_eq!(&serving.message[..], b"\x08\x01", "SERVING");
    let unknown = client.call(check, "", &[], b"\x0a\x01x").await.unwrap_err();
    assert_eq!(unknown.status.code(), tonic::Code::NotFound);
    let mut raw = Raw::open(&world, &world.setting.party("stad-leuven").unwrap().issued).await;
    let answer = raw.send(check, &[("te", "trailers")], &b"\0\0\0\0\0"[..]).await;
    assert_eq!((&answer.body[..], answer.status().code()), (&b"\0\0\0\0\x02\x08\x01"[..], tonic::Code::Ok));
}

#[tokio::test]
async fn test_numbers_are_nobody_in_production() {
    let plan = Plan { configure: |text| text.replace("test = true", "test = false"), ..Plan::default() };
    let world = World::planned("production", plan).await;
    let mut walk = Walk::new();
    for ask in [Ask::default(), Ask::housing(PIETER)] {
        walk.meet("TST", world.call(&ask).await, Reason::SubjectMalformed, Logged::Refused);
    }
    walk.hold_against_log(&world).await;
    let refused = ListDisclosuresRequest { kind: Kind::Refused.into(), ..ListDisclosuresRequest::default() };
    let entries = world.entries(refused).await;
    assert!(entries.iter().all(|entry| entry.subject_asked.is_empty() && kind_of(entry) == "KIND_REFUSED"));
}
