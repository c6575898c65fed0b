//! One exchange, end to end, over real mutual TLS: what is released, what is withheld, and what the log says of it.

#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "a test may fail loudly")]

mod support;

use sluis::proto::audit::{Kind, ListDisclosuresRequest};
use support::{Ask, NOBODY, PERSON, PIETER, PROTECTED, World};

#[tokio::test]
async fn a_declared_purpose_gets_its_fields_and_the_log_says_so_first() {
    let world = World::start("released").await;
    let reply = world.call(&Ask::default()).await.unwrap();
    let answer = world.answer(PERSON, &reply).to_string();
    assert!(answer.contains("Vanhoutven") && answer.contains("Hopplukkersstraat"), "{answer}");
    assert!(!answer.contains("civil_states") && !answer.contains(PIETER), "{answer}");

    let index = reply.log_index.unwrap();
    let entries = world.entries(ListDisclosuresRequest::default()).await;
    let released = entries.iter().find(|entry| entry.index == index).unwrap();
    assert_eq!(released.kind, Kind::Released as i32);
    assert_eq!(released.outcome, "RELEASED");
    assert_eq!(released.subject_asked, PIETER);
    assert_eq!(released.subject_returned, PIETER);
    assert_eq!(released.requester, "0207521503");
    assert_eq!(released.case, "PV-2026/000123");
    assert!(released.fields_released.contains(&"person.name.last_names".to_owned()));
    let asked = entries.iter().find(|entry| Some(entry.index) == released.asked).unwrap();
    assert_eq!(asked.kind, Kind::Asked as i32);
    assert!(asked.index < released.index);
    world.verify().await;
}

#[tokio::test]
async fn a_protected_address_looks_like_an_absent_one_and_only_the_log_knows() {
    let world = World::start("protected").await;
    let ask = Ask { subject: PROTECTED, ..Ask::default() };
    let whole = world.call(&ask).await.unwrap();
    let name_only = [("sluis-fields", "person.name.last_names,person.name.first_names")];
    let less = world.call(&Ask { more: &name_only, ..ask }).await.unwrap();
    assert_eq!(whole.message, less.message);
    let entry = world.entry(whole.log_index.unwrap()).await;
    assert!(entry.fields_withheld.iter().all(|one| one.reason == "PROTECTED_ADDRESS"));
    assert!(entry.fields_withheld.iter().any(|one| one.field == "person.main_residence.street_name"));
}

#[tokio::test]
async fn nobody_found_is_an_empty_answer_and_an_entry() {
    let world = World::start("nobody").await;
    let reply = world.call(&Ask { subject: NOBODY, ..Ask::default() }).await.unwrap();
    assert!(reply.message.is_empty());
    let entry = world.entry(reply.log_index.unwrap()).await;
    assert_eq!((entry.kind, entry.fields_released.len()), (Kind::Released as i32, 0));
}
