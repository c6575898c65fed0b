//! Sources that are slow, down, faulty, huge or about someone else; a log that takes nothing; callers who go away.

use std::collections::HashSet;
use std::time::Duration;

use sluis::domain::reason::Reason;
use sluis::proto::audit::{Kind, ListDisclosuresRequest};
use sluis::rpc::audit::LIST_DISCLOSURES;
use sluis::sandbox::{Played, Trouble, UNDECLARED};
use sluis::store::sqlite::{SqliteSettings, SqliteStore};

use crate::log_common::Troubled;
use crate::spy::{Says, Spy, instead_of, on_store};
use crate::support::{ANNELIES, Ask, HOUSING, PIETER, World};
use crate::walk::{Logged, Walk, kind_of};

/// What every trouble of a source comes to, over MAGDA and over gRPC. `None`: an answer all the same.
#[rustfmt::skip]
const TROUBLES: [(Trouble, Option<Reason>, Option<Reason>); 16] = [
    (Trouble::SoapFault,      Some(Reason::SourceUnavailable),    Some(Reason::SourceAnswerInvalid)),
    (Trouble::ServerError,    Some(Reason::SourceUnavailable),    Some(Reason::SourceUnavailable)),
    (Trouble::Unavailable,    Some(Reason::SourceUnavailable),    Some(Reason::SourceUnavailable)),
    (Trouble::Throttled,      Some(Reason::SourceThrottled),      Some(Reason::SourceThrottled)),
    (Trouble::NotInscribed,   Some(Reason::SubjectNotRegistered), Some(Reason::SourceAnswerInvalid)),
    (Trouble::AccessRefused,  Some(Reason::SourceRefused),        Some(Reason::SourceRefused)),
    (Trouble::Garbage,        Some(Reason::SourceAnswerInvalid),  Some(Reason::SourceAnswerInvalid)),
    (Trouble::Truncated,      Some(Reason::SourceAnswerInvalid),  Some(Reason::SourceAnswerInvalid)),
    (Trouble::Expansion,      Some(Reason::SourceAnswerInvalid),  Some(Reason::SourceAnswerInvalid)),
    (Trouble::Huge,           Some(Reason::MessageTooLarge),      Some(Reason::MessageTooLarge)),
    (Trouble::SomeoneElse,    Some(Reason::SourceAnswerInvalid),  Some(Reason::SourceAnswerInvalid)),
    (Trouble::TwoPeople,      Some(Reason::SourceAnswerInvalid),  Some(Reason::SourceAnswerInvalid)),
    (Trouble::PersonalStatus, Some(Reason::SourceUnavailable),    Some(Reason::SourceAnswerInvalid)),
    (Trouble::Closed,         Some(Reason::SourceUnavailable),    Some(Reason::SourceUnavailable)),
    (Trouble::InvalidUtf8,    Some(Reason::SourceAnswerInvalid),  Some(Reason::SourceAnswerInvalid)),
    (Trouble::Undeclared,     None,                               None),
];

pub async fn sources(world: &World, walk: &mut Walk) {
    for (trouble, magda, housing) in TROUBLES {
        let asks = [
            (Ask { subject: trouble.insz(), ..Ask::default() }, magda),
            (Ask::housing(trouble.insz()), housing),
        ];
        for (ask, expected) in asks {
            let what = format!("{} at {}", trouble.name(), ask.method);
            let outcome = world.call(&ask).await;
            let Some(reason) = expected else {
                let released = outcome.unwrap_or_else(|refusal| panic!("{what}: {refusal:?}"));
                let text = String::from_utf8_lossy(&released.message);
                assert!(!text.contains(UNDECLARED), "{what}");
                continue;
            };
            // That it is about someone else, or no text after all, is found when it is to be released.
            let settled =
                trouble == Trouble::SomeoneElse || (trouble == Trouble::InvalidUtf8 && ask.method == HOUSING);
            walk.meet(what, outcome, reason, if settled { Logged::Denied } else { Logged::Failed });
        }
    }
}

pub async fn slow_and_gone(world: &mut World, walk: &mut Walk) {
    let hurry = [("grpc-timeout", "150m")];
    for ask in [Ask::housing(Trouble::Slow.insz()), Ask { subject: Trouble::Slow.insz(), ..Ask::default() }] {
        let outcome = world.call(&Ask { more: &hurry, ..ask }).await;
        walk.meet("slow", outcome, Reason::SourceTooSlow, Logged::Failed);
    }
    world.sandbox.stop(Played::Housing).await;
    world.sandbox.stop(Played::Magda).await;
    for ask in [Ask::housing(PIETER), Ask::default()] {
        walk.meet("down", world.call(&ask).await, Reason::SourceUnavailable, Logged::Failed);
    }
}

/// A source that calls the gateway's question malformed: that was checked here, so the fault is ours.
pub async fn own_fault(world: &mut World, walk: &mut Walk) {
    let exception = "<Uitzonderingen><Uitzondering><Identificatie>20002</Identificatie><Type>FOUT</Type>\
                     <Diagnose>niet-opgegeven-persoonsgegeven</Diagnose></Uitzondering></Uitzonderingen>";
    let namespace = "http://magda.vlaanderen.be/persoon/soap/geefpersoon/v02_02";
    let text = format!(
        "<e:Envelope xmlns:e='http://schemas.xmlsoap.org/soap/envelope/'><e:Body>\
         <q:GeefPersoonResponse xmlns:q='{namespace}'><Repliek>{exception}</Repliek></q:GeefPersoonResponse>\
         </e:Body></e:Envelope>"
    );
    let spy = Spy::start(world, Says::Text(200, text)).await;
    instead_of(world, "rijksregister", &spy).await;
    spy.answer();
    let outcome = world.call(&Ask::default()).await;
    walk.meet("our own fault", outcome, Reason::Internal, Logged::Failed);
}

pub async fn log_unavailable(world: &mut World, walk: &mut Walk) {
    let store = troubled(world).await;
    let auditor = (world.client("audit-leuven"), world.token("audit-leuven"));
    let before = world.sandbox.questions(Played::Magda);
    store.fill(true);
    for what in ["ask", "refuse", "audit"] {
        let outcome = match what {
            "ask" => world.call(&Ask::default()).await,
            "refuse" => world.call(&Ask { purpose: "marketing", ..Ask::default() }).await,
            _ => auditor.0.call(LIST_DISCLOSURES, &auditor.1, &[], b"").await,
        };
        walk.meet(what, outcome, Reason::DisclosureLogUnavailable, Logged::Nothing);
    }
    store.fill(false);
    assert_eq!(world.sandbox.questions(Played::Magda), before, "nobody was asked");
}

/// Has the gateway write its log through a store that fails on command.
async fn troubled(world: &mut World) -> Troubled {
    world.stop().await;
    let store = SqliteStore::open(SqliteSettings::new(&world.config.log.database)).await.unwrap();
    let store = Troubled::new(store);
    on_store(world, store.clone()).await;
    store
}

#[tokio::test]
async fn a_log_that_fails_at_the_end_of_a_question_says_why_it_ended() {
    // (whom the source answers about, what the question's closing entry says in the end)
    for (about, kind, outcome) in [
        (PIETER, "KIND_FAILED", Reason::DisclosureLogUnavailable),
        (ANNELIES, "KIND_REFUSED", Reason::SourceAnswerInvalid),
    ] {
        let mut world = World::start("fails-at-the-end").await;
        let spy = Spy::start(&world, Says::File(about)).await;
        instead_of(&mut world, "housing", &spy).await;
        let store = troubled(&mut world).await;
        let ask = Ask::housing(PIETER);
        let (answered, ()) = tokio::join!(world.call(&ask), async {
            spy.question().await;
            store.fill(true);
            spy.answer();
        });
        let refusal = answered.unwrap_err();
        assert_eq!(refusal.reason.as_deref(), Some("DISCLOSURE_LOG_UNAVAILABLE"), "{about}");
        store.fill(false);
        // The auditor's own entry comes after the one that was left over.
        let entries = world.entries(ListDisclosuresRequest::default()).await;
        let closed: Vec<_> = entries.iter().filter(|entry| entry.asked.is_some()).collect();
        assert_eq!(closed.len(), 1, "{about}");
        assert_eq!((kind_of(closed[0]), closed[0].outcome.as_str()), (kind, outcome.name()), "{about}");
    }
}

#[tokio::test]
async fn the_time_that_the_log_takes_is_the_callers() {
    const PATIENCE: Duration = Duration::from_millis(500);
    let mut world = World::start("slow-log").await;
    let store = troubled(&mut world).await;
    let (begun, go) = store.hold();
    let hurried = Ask { more: &[("grpc-timeout", "500m")], ..Ask::default() };
    let (answered, ()) = tokio::join!(world.call(&hurried), async {
        begun.notified().await;
        // The caller's time, which began before this, is over after this.
        tokio::time::sleep(PATIENCE).await;
        go.notify_one();
    });
    let mut walk = Walk::new();
    walk.meet("slow log", answered, Reason::SourceTooSlow, Logged::Failed);
    assert_eq!(world.sandbox.questions(Played::Magda), 0, "nobody was asked");
    walk.hold_against_log(&world).await;
}

/// The caller goes away while the source is asked.
pub async fn cancelled() -> HashSet<Reason> {
    let world = World::start("cancelled").await;
    let ask = Ask::housing(Trouble::Slow.insz());
    let client = world.client(ask.who);
    let (token, metadata) = (world.token(ask.who), ask.metadata());
    let question = world.question(HOUSING, ask.subject);
    tokio::select! {
        answered = client.call(HOUSING, &token, &metadata, &question) => panic!("{:?}", answered.map(|_| ())),
        () = until_asked(&world) => {}
    }
    drop(client);
    let gone = loop {
        let failed = ListDisclosuresRequest { kind: Kind::Failed.into(), ..ListDisclosuresRequest::default() };
        let found = world.entries(failed).await;
        if let [gone] = found.as_slice() {
            break gone.clone();
        }
    };
    assert_eq!(gone.outcome, "CANCELLED");
    assert_eq!(kind_of(&world.entry(gone.asked.unwrap()).await), "KIND_ASKED");
    HashSet::from([Reason::Cancelled])
}

/// Nobody waits any longer, neither the caller nor its deadline: the source is told, on both wires.
#[tokio::test]
async fn a_source_is_told_when_nobody_waits_any_more() {
    let mut world = World::start("told").await;
    let housing = Spy::start(&world, Says::File(PIETER)).await;
    let magda = Spy::start(&world, Says::Text(500, String::new())).await;
    instead_of(&mut world, "housing", &housing).await;
    instead_of(&mut world, "rijksregister", &magda).await;
    for (spy, ask) in [(&housing, Ask::housing(PIETER)), (&magda, Ask::default())] {
        let client = world.client(ask.who);
        let (token, question) = (world.token(ask.who), world.question(ask.method, ask.subject));
        let metadata = ask.metadata();
        tokio::select! {
            answered = client.call(ask.method, &token, &metadata, &question) => panic!("{:?}", answered.map(|_| ())),
            _ = spy.question() => {}
        }
        drop(client);
        spy.gone().await;
        let hasty = [("grpc-timeout", "50m")];
        let ask = Ask { more: &hasty, ..ask };
        let (late, ()) = tokio::join!(world.call(&ask), async {
            spy.question().await;
            spy.gone().await;
        });
        assert_eq!(late.unwrap_err().reason.as_deref(), Some(Reason::SourceTooSlow.name()), "{}", ask.method);
    }
}

async fn until_asked(world: &World) {
    while world.sandbox.questions(Played::Housing) == 0 {
        tokio::time::sleep(Duration::from_millis(1)).await;
    }
}
