//! The auditor's questions.

use prost::Message as _;
use sluis::cli::client::{Refusal, Reply};
use sluis::clock;
use sluis::domain::reason::Reason;
use sluis::proto::audit::{Disclosure, Kind, ListDisclosuresRequest, ListDisclosuresResponse};
use sluis::rpc::audit::LIST_DISCLOSURES;
use sqlx::Connection as _;

use crate::support::{ANNELIES, Ask, NOBODY, PIETER, REPLACED, REPLACEMENT, World};
use crate::walk::{Logged, Walk, kind_of};

type Criteria = ListDisclosuresRequest;

async fn question(world: &World, criteria: &Criteria) -> Result<Reply, Box<Refusal>> {
    let (client, token) = (world.client("audit-leuven"), world.token("audit-leuven"));
    client.call(LIST_DISCLOSURES, &token, &[], &criteria.encode_to_vec()).await
}

async fn page(world: &World, criteria: &Criteria) -> ListDisclosuresResponse {
    ListDisclosuresResponse::decode(question(world, criteria).await.unwrap().message).unwrap()
}

/// Exchanges of two organisations about several people, for several purposes, with several ends.
async fn history(world: &World) {
    let attest = Ask { purpose: "attest", case: "ATTEST/1", ..Ask::default() };
    for ask in [
        Ask::default(),
        Ask { who: "ocmw-leuven", subject: ANNELIES, ..attest },
        Ask::housing(PIETER),
        Ask { subject: ANNELIES, ..Ask::default() },
        Ask { subject: REPLACED, ..attest },
        Ask { purpose: "marketing", ..Ask::default() },
        Ask { who: "stad-diest", ..Ask::default() },
        Ask { subject: NOBODY, ..Ask::default() },
    ] {
        let _ = world.call(&ask).await;
    }
}

type Fits = fn(&Disclosure) -> bool;

#[tokio::test]
async fn each_criterion_narrows_to_what_fits_it() {
    let world = World::start("criteria").await;
    history(&world).await;
    let all = page(&world, &Criteria::default()).await;
    assert_eq!(all.disclosures.len() as u64, all.log_size);
    let middle = all.disclosures[all.disclosures.len() / 2].time_asked.unwrap();
    let text = str::to_owned;
    let table: Vec<(&str, Criteria, Fits)> = vec![
        ("subject", Criteria { subject: text(PIETER), ..Criteria::default() }, |e| e.subject_asked == PIETER),
        ("the replaced number", Criteria { subject: text(REPLACED), ..Criteria::default() }, |e| {
            e.subject_asked == REPLACED
        }),
        ("its replacement", Criteria { subject: text(REPLACEMENT), ..Criteria::default() }, |e| {
            e.subject_returned == REPLACEMENT
        }),
        ("organisation", Criteria { organisation: text("0212165526"), ..Criteria::default() }, |e| {
            e.requester == "0212165526"
        }),
        ("end user", Criteria { end_user: text("someone@stad-diest.example"), ..Criteria::default() }, |e| {
            e.end_user == "someone@stad-diest.example"
        }),
        ("case", Criteria { case: text("ATTEST/1"), ..Criteria::default() }, |e| e.case == "ATTEST/1"),
        ("protocol", Criteria { protocol: text("housing-sandbox"), ..Criteria::default() }, |e| {
            e.instrument == "housing-sandbox"
        }),
        ("purpose", Criteria { purpose: text("attest"), ..Criteria::default() }, |e| e.purpose == "attest"),
        ("outcome", Criteria { outcome: text("PURPOSE_UNKNOWN"), ..Criteria::default() }, |e| {
            e.outcome == "PURPOSE_UNKNOWN"
        }),
        ("kind", Criteria { kind: Kind::Released.into(), ..Criteria::default() }, |e| {
            kind_of(e) == "KIND_RELEASED"
        }),
        (
            "two at once",
            Criteria { subject: text(ANNELIES), purpose: text("attest"), ..Criteria::default() },
            |e| e.subject_asked == ANNELIES && e.purpose == "attest",
        ),
    ];
    for (what, criteria, fits) in table {
        let expected: Vec<u64> =
            all.disclosures.iter().filter(|entry| fits(entry)).map(|entry| entry.index).collect();
        let found = page(&world, &criteria).await;
        let within = found.disclosures.iter().map(|entry| entry.index).filter(|&index| index < all.log_size);
        assert_eq!(within.collect::<Vec<_>>(), expected, "{what}");
        assert!((1..all.disclosures.len()).contains(&expected.len()), "{what} narrows, and not to nothing");
    }
    let since = page(&world, &Criteria { period_from: Some(middle), ..Criteria::default() }).await.disclosures;
    let until = page(&world, &Criteria { period_until: Some(middle), ..Criteria::default() }).await.disclosures;
    assert!(!since.is_empty() && !until.is_empty());
    let last = until.last().unwrap().index;
    assert!(since.iter().all(|entry| entry.index > last), "an instant stands on one side only");
    let timed = all.disclosures.iter().filter(|entry| entry.time_asked.is_some()).count();
    let old = since.iter().filter(|entry| entry.index < all.log_size).count();
    assert_eq!(old + until.len(), timed);
}

#[tokio::test]
async fn pages_are_stable_while_the_log_grows() {
    let world = World::start("pages").await;
    history(&world).await;
    for criteria in [
        Criteria::default(),
        Criteria { subject: PIETER.to_owned(), ..Criteria::default() },
        Criteria { protocol: "rr-leuven".to_owned(), ..Criteria::default() },
    ] {
        let whole = page(&world, &criteria).await;
        let (mut next, mut found, mut size) = (String::new(), Vec::new(), None);
        loop {
            let criteria = Criteria { page_size: 2, page_token: next, ..criteria.clone() };
            let one = page(&world, &criteria).await;
            assert!(one.disclosures.len() <= 2);
            assert_eq!(*size.get_or_insert(one.log_size), one.log_size, "the log as it was at the first page");
            found.extend(one.disclosures.iter().map(|entry| entry.index));
            next = one.next_page_token;
            if next.is_empty() {
                break;
            }
            world.call(&Ask::default()).await.expect("the log grows by entries that fit");
        }
        let before: Vec<u64> = whole.disclosures.iter().map(|entry| entry.index).collect();
        let within: Vec<u64> = found.iter().copied().filter(|&index| index < whole.log_size).collect();
        assert_eq!(within, before);
        // Beyond it stands at most what the auditor asked in the meantime.
        assert!(found.len() <= before.len() + 1);
        assert!(found.is_sorted_by(|one, other| one < other), "each once, in order");
    }
}

#[tokio::test]
async fn each_question_is_an_entry_whatever_it_finds() {
    let world = World::start("audited").await;
    let mut walk = Walk::new();
    world.call(&Ask::default()).await.unwrap();
    let first = page(&world, &Criteria { page_size: 2, ..Criteria::default() }).await;
    for (what, criteria) in [
        (
            "a token of other criteria",
            Criteria {
                subject: PIETER.to_owned(),
                page_token: first.next_page_token.clone(),
                ..Criteria::default()
            },
        ),
        ("no token", Criteria { page_token: "x".to_owned(), ..Criteria::default() }),
        ("a subject too long", Criteria { subject: "8".repeat(300), ..Criteria::default() }),
        ("a kind that there is not", Criteria { kind: 99, ..Criteria::default() }),
    ] {
        walk.meet(what, question(&world, &criteria).await, Reason::RequestMalformed, Logged::Refused);
    }
    let unknown = Criteria { subject: "62710512470".to_owned(), ..Criteria::default() };
    let reply = question(&world, &unknown).await.unwrap();
    let found = ListDisclosuresResponse::decode(reply.message).unwrap();
    // The question itself names the subject, and was in the log before it was answered.
    assert!(found.disclosures.iter().all(|entry| kind_of(entry) == "KIND_AUDIT_READ"));
    let again = page(&world, &unknown).await;
    assert!(again.disclosures.len() > found.disclosures.len(), "who asked before is found too");

    let own = world.entry(reply.log_index.unwrap()).await;
    assert_eq!(kind_of(&own), "KIND_AUDIT_READ");
    assert_eq!((own.subject_asked.as_str(), own.detail.as_str()), ("62710512470", "criteria: subject"));
    assert_eq!((own.requester.as_str(), own.end_user.as_str()), ("0999999625", "someone@audit-leuven.example"));
    let by_user = Criteria { end_user: "someone@stad-leuven.example".to_owned(), ..Criteria::default() };
    let own = world.entry(question(&world, &by_user).await.unwrap().log_index.unwrap()).await;
    assert_eq!(own.detail, "criteria: end_user someone@stad-leuven.example", "whom it asked about is told");
    let now = clock::now();
    let future = prost_reflect::prost_types::Timestamp { seconds: now.as_second() + 3600, nanos: 0 };
    assert!(
        page(&world, &Criteria { period_from: Some(future), ..Criteria::default() })
            .await
            .disclosures
            .is_empty()
    );
    walk.hold_against_log(&world).await;
}

/// An entry in the auditor's way is removed: the answer is not the rest.
pub async fn damaged(world: &World, walk: &mut Walk) {
    let file = format!("sqlite://{}", world.config.log.database.display());
    let mut database = sqlx::SqliteConnection::connect(&file).await.unwrap();
    for statement in ["DROP TRIGGER log_entry_no_delete", "DELETE FROM log_entry WHERE idx = 3"] {
        sqlx::query(statement).execute(&mut database).await.unwrap();
    }
    let outcome = question(world, &Criteria::default()).await;
    // It is the question's entry that says who wanted to see it.
    let refusal = walk.meet("damaged", outcome, Reason::DisclosureLogDamaged, Logged::Nothing);
    assert_eq!(refusal.metadata["damaged_entry"], "3");
}

#[tokio::test]
async fn a_damaged_log_is_told_with_the_entry_and_shows_nothing() {
    let world = World::start("damaged").await;
    history(&world).await;
    damaged(&world, &mut Walk::new()).await;
}
