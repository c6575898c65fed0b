//! Sources under trouble: one that fails is left alone and tried, one that is busy has a queue with an end, one that
//! throttles is asked more slowly; what is asked again is the same question under the same entry.

use std::time::{Duration, Instant};

use sluis::domain::reason::Reason;
use sluis::proto::audit::{Disclosure, ListDisclosuresRequest};
use sluis::sandbox::{Played, Trouble};
use sluis::source::guard::{Observed, State};

use crate::spy::{Says, Spy, instead_of};
use crate::support::caller::Whole;
use crate::support::source::Saying;
use crate::support::stage::Stage;
use crate::support::{Ask, HOUSING, PIETER, Plan, World};
use crate::walk::kind_of;

/// An empty answer: nobody found.
const NOBODY: &str = "5";
const UNAVAILABLE: &str = "14";
const THROTTLE: &str =
    "<e:Fault><faultstring>Exceeded the max throttle rate of 10 within 1000ms</faultstring></e:Fault>";

/// Adds keys to the housing source of a configuration.
fn housing(text: &str, keys: &str) -> String {
    text.replace("name = \"housing\"\n", &format!("name = \"housing\"\n{keys}\n"))
}

/// Kinds of all entries about exchanges, in order, with their outcomes.
async fn logged(world: &World) -> Vec<(&'static str, String)> {
    let entries = world.entries(ListDisclosuresRequest::default()).await;
    let mut exchanges: Vec<&Disclosure> = entries.iter().filter(|entry| entry.method.contains("Get")).collect();
    exchanges.sort_by_key(|entry| entry.index);
    exchanges.into_iter().map(|entry| (kind_of(entry), entry.outcome.clone())).collect()
}

fn observe(world: &World, source: &str) -> Observed {
    world.running().guards.observe(source).unwrap()
}

/// Waits until so many questions wait for the housing source.
async fn until_queued(world: &World, queued: usize) {
    while observe(world, "housing").queued != queued {
        tokio::time::sleep(Duration::from_millis(2)).await;
    }
}

/// What a refusal says of coming back.
fn retry_info(whole: &Whole) -> Duration {
    use tonic_types::StatusExt as _;
    let status = [&whole.headers, &whole.trailers].into_iter().find_map(tonic::Status::from_header_map);
    status.unwrap().get_details_retry_info().unwrap().retry_delay.unwrap()
}

#[tokio::test]
async fn a_read_is_asked_once_more_under_the_entry_that_stands_for_it() {
    let stage = Stage::start("again").await;
    let (ocmw, city) = (stage.caller("ocmw-leuven").await, stage.caller("stad-leuven").await);

    stage.housing.say(Saying::status(NOBODY));
    stage.housing.say_once(Saying::status(UNAVAILABLE));
    assert_eq!(stage.ask(&ocmw, &Ask::housing(PIETER)).await.outcome(), "RELEASED");
    let heard = stage.housing.heard();
    assert_eq!(heard.len(), 2);
    assert_eq!(heard[0].body, heard[1].body);
    assert_eq!(heard[0].headers["traceparent"], heard[1].headers["traceparent"], "the entry is its reference");

    stage.magda.say(Saying::soap(THROTTLE));
    let began = Instant::now();
    let whole = stage.ask(&city, &Ask::default()).await;
    assert_eq!(whole.outcome(), Reason::SourceThrottled.name(), "and no third time");
    assert!(began.elapsed() > Duration::from_secs(1), "a throttle looks back a second");
    let heard = stage.magda.heard();
    assert_eq!(heard.len(), 2);
    assert_eq!(heard[0].body, heard[1].body, "with the same reference");

    let kinds = logged(&stage.world).await;
    let expected = [
        ("KIND_ASKED", ""),
        ("KIND_RELEASED", "RELEASED"),
        ("KIND_ASKED", ""),
        ("KIND_FAILED", "SOURCE_THROTTLED"),
    ];
    assert_eq!(kinds.len(), expected.len(), "{kinds:?}");
    for ((kind, outcome), (expected, ending)) in kinds.iter().zip(expected) {
        assert_eq!((*kind, outcome.ends_with(ending)), (expected, true), "{kinds:?}");
    }
}

#[tokio::test]
async fn what_the_source_may_have_answered_is_not_asked_again_and_a_budget_ends() {
    let never_alone = |text: String| housing(&text, "failures = 1000");
    let stage = Stage::configured("budget", never_alone).await;
    let ocmw = stage.caller("ocmw-leuven").await;
    let ask = Ask::housing(PIETER);
    // An answer that no status ends; INTERNAL.
    for saying in [Saying { trailers: http::HeaderMap::new(), ..Saying::message(b"x") }, Saying::status("13")] {
        let before = stage.housing.heard().len();
        stage.housing.say(saying);
        assert_ne!(stage.ask(&ocmw, &ask).await.outcome(), "RELEASED");
        assert_eq!(stage.housing.heard().len(), before + 1);
    }
    stage.housing.say(Saying::status(UNAVAILABLE));
    let before = stage.housing.heard().len();
    for _ in 0..40 {
        assert_eq!(stage.ask(&ocmw, &ask).await.outcome(), Reason::SourceUnavailable.name());
    }
    let asked = stage.housing.heard().len() - before;
    assert!((50..=54).contains(&asked), "the reserve of ten and a tenth of forty: {asked}");
    assert_eq!(observe(&stage.world, "housing").retried, asked as u64 - 40);
}

#[tokio::test]
async fn an_answer_that_broke_off_may_have_been_given_and_is_not_asked_for_again() {
    let world = World::start("broken-off").await;
    let subject = Trouble::Closed.insz();
    for (ask, played) in
        [(Ask { subject, ..Ask::default() }, Played::Magda), (Ask::housing(subject), Played::Housing)]
    {
        let refusal = world.call(&ask).await.unwrap_err();
        assert_eq!(refusal.reason.as_deref(), Some(Reason::SourceUnavailable.name()));
        assert_eq!(world.sandbox.questions(played), 1);
    }
}

#[tokio::test]
async fn a_source_that_fails_is_left_alone_tried_with_one_question_and_asked_again() {
    let soon = |text: String| housing(&text, "failures = 2\npause_ms = 2000\nretries = 0");
    let stage = Stage::configured("breaker", soon).await;
    let ocmw = stage.caller("ocmw-leuven").await;
    let ask = Ask::housing(PIETER);
    let unavailable = Reason::SourceUnavailable.name();
    stage.housing.say(Saying::status(UNAVAILABLE));
    for _ in 0..2 {
        assert_eq!(stage.ask(&ocmw, &ask).await.outcome(), unavailable);
    }
    let refused = stage.ask(&ocmw, &ask).await;
    let told = retry_info(&refused);
    assert_eq!((refused.outcome().as_str(), stage.housing.heard().len()), (unavailable, 2), "nobody is asked");
    assert!(!told.is_zero() && told <= Duration::from_secs(2), "{told:?}");
    assert_eq!(observe(&stage.world, "housing").state, State::Open);
    let city = stage.caller("stad-leuven").await;
    stage.magda.say(Saying::soap(&crate::support::document::reply("")));
    assert_ne!(stage.ask(&city, &Ask::default()).await.outcome(), unavailable, "the other source is not meant");

    // Whoever comes back when told to is the one to try.
    tokio::time::sleep(told).await;
    assert_eq!(stage.ask(&ocmw, &ask).await.outcome(), unavailable);
    assert_eq!(stage.housing.heard().len(), 3, "the trial");
    let told = retry_info(&stage.ask(&ocmw, &ask).await);
    assert_eq!((stage.housing.heard().len(), observe(&stage.world, "housing").opened), (3, 2));

    stage.housing.say(Saying::status(NOBODY));
    tokio::time::sleep(told).await;
    for _ in 0..3 {
        assert_eq!(stage.ask(&ocmw, &ask).await.outcome(), "RELEASED");
    }
    assert_eq!(observe(&stage.world, "housing").state, State::Closed);

    let kinds = logged(&stage.world).await;
    let refused =
        kinds.iter().filter(|(kind, outcome)| *kind == "KIND_REFUSED" && outcome == unavailable).count();
    let failed =
        kinds.iter().filter(|(kind, outcome)| *kind == "KIND_FAILED" && outcome == unavailable).count();
    assert_eq!((refused, failed), (2, 3), "ASKED stands only where somebody was asked: {kinds:?}");
    stage.world.verify().await;
}

#[tokio::test]
async fn a_source_that_hangs_is_left_alone_once_it_had_its_deadline() {
    let short = |text: String| housing(&text, "deadline_ms = 100\nfailures = 2\npause_ms = 600000");
    let mut world = World::planned("silent", Plan { configure: short, ..Plan::default() }).await;
    let spy = Spy::start(&world, Says::File(PIETER)).await;
    instead_of(&mut world, "housing", &spy).await;
    let ask = Ask::housing(PIETER);
    let hurry = [("grpc-timeout", "50m")];
    for (more, reason, kind) in [
        // A caller in a hurry says nothing of the source.
        (&hurry[..], Reason::SourceTooSlow, "KIND_FAILED"),
        (&hurry, Reason::SourceTooSlow, "KIND_FAILED"),
        (&[], Reason::SourceTooSlow, "KIND_FAILED"),
        (&[], Reason::SourceTooSlow, "KIND_FAILED"),
        (&[], Reason::SourceUnavailable, "KIND_REFUSED"),
    ] {
        let refusal = world.call(&Ask { more, ..ask }).await.unwrap_err();
        assert_eq!(refusal.reason.as_deref(), Some(reason.name()));
        assert_eq!(kind_of(&world.entry(refusal.log_index.unwrap()).await), kind);
    }
}

#[tokio::test]
async fn a_queue_has_an_end_and_who_goes_away_makes_room_in_it() {
    let narrow = |text: String| housing(&text, "concurrency = 1\nqueue = 1");
    let mut world = World::planned("queue", Plan { configure: narrow, ..Plan::default() }).await;
    let spy = Spy::start(&world, Says::File(PIETER)).await;
    instead_of(&mut world, "housing", &spy).await;
    let world = world;
    let ask = Ask::housing(PIETER);
    let (first, second) = tokio::join!(world.call(&ask), async {
        spy.question().await;
        tokio::select! {
            waits = world.call(&ask) => panic!("{:?}", waits.map(|_| ())),
            () = until_queued(&world, 1) => {}
        }
        until_queued(&world, 0).await;
        tokio::join!(world.call(&ask), async {
            until_queued(&world, 1).await;
            let refusal = world.call(&ask).await.unwrap_err();
            assert_eq!(refusal.reason.as_deref(), Some(Reason::SourceThrottled.name()));
            assert_eq!(kind_of(&world.entry(refusal.log_index.unwrap()).await), "KIND_REFUSED");
            assert_eq!(observe(&world, "housing").in_flight, 1);
            spy.answer();
            spy.question().await;
            spy.answer();
        })
        .0
    });
    assert!(first.is_ok() && second.is_ok());
    let hurry = [("grpc-timeout", "50m")];
    let (late, held) = tokio::join!(
        async {
            spy.question().await;
            let late = world.call(&Ask { more: &hurry, ..ask }).await.unwrap_err();
            spy.answer();
            late
        },
        world.call(&ask)
    );
    assert!(held.is_ok());
    assert_eq!(
        late.reason.as_deref(),
        Some(Reason::SourceTooSlow.name()),
        "who waits, waits within its deadline"
    );
    let asked = logged(&world).await.iter().filter(|(kind, _)| *kind == "KIND_ASKED").count();
    assert_eq!(asked, 3, "whoever never had a place was never asked about");
    world.verify().await;
}

#[tokio::test]
async fn who_waits_while_its_right_ends_is_not_asked_about() {
    let narrow = |text: String| housing(&text, "concurrency = 1");
    let mut world = World::planned("waits", Plan { configure: narrow, ..Plan::default() }).await;
    let spy = Spy::start(&world, Says::File(PIETER)).await;
    instead_of(&mut world, "housing", &spy).await;
    let world = world;
    let ask = Ask::housing(PIETER);
    let (first, (second, ())) = tokio::join!(world.call(&ask), async {
        spy.question().await;
        tokio::join!(world.call(&ask), async {
            until_queued(&world, 1).await;
            std::fs::remove_file(world.setting.dir.join("protocols/housing-sandbox.toml")).unwrap();
            world.running().reload().await.unwrap();
            // Enough for both: the second would be answered.
            spy.answer();
            spy.answer();
        })
    });
    assert!(first.is_err());
    let refusal = second.unwrap_err();
    assert_eq!(refusal.reason.as_deref(), Some(Reason::ProtocolUnknown.name()));
    let asked = logged(&world).await.iter().filter(|(kind, _)| *kind == "KIND_ASKED").count();
    assert_eq!(asked, 1);
}

#[tokio::test]
async fn who_waits_for_a_place_is_served_before_the_drain_ends() {
    let narrow = |text: String| housing(&text, "concurrency = 1");
    let mut world = World::planned("drain-queue", Plan { configure: narrow, ..Plan::default() }).await;
    let spy = Spy::start(&world, Says::File(PIETER)).await;
    instead_of(&mut world, "housing", &spy).await;
    let address = world.running().gateway;
    let ask = Ask::housing(PIETER);
    let (client, token) = (world.client(ask.who), world.token(ask.who));
    let (metadata, question) = (ask.metadata(), world.question(HOUSING, PIETER));
    let running = world.running.take().unwrap();
    let guards = running.guards.clone();
    let call = || client.call(HOUSING, &token, &metadata, &question);
    let (under_way, waiting, ()) = tokio::join!(call(), call(), async {
        spy.question().await;
        while guards.observe("housing").unwrap().queued == 0 {
            tokio::time::sleep(Duration::from_millis(2)).await;
        }
        let stopping = tokio::spawn(running.stop());
        while tokio::net::TcpStream::connect(address).await.is_ok() {
            tokio::task::yield_now().await;
        }
        spy.answer();
        spy.question().await;
        spy.answer();
        stopping.await.unwrap();
    });
    let indices = [under_way.unwrap().log_index.unwrap(), waiting.unwrap().log_index.unwrap()];
    assert_eq!(indices.into_iter().max(), Some(world.verify().await - 1));
}

#[tokio::test]
async fn a_throttle_is_met_by_waiting() {
    let paced = |text: String| text.replace("per_second = 0", "per_second = 5");
    let stage = Stage::configured("pace", paced).await;
    let city = stage.caller("stad-leuven").await;
    let nobody = crate::support::document::reply(
        "<Uitzonderingen><Uitzondering><Identificatie>30001</Identificatie><Type>FOUT</Type></Uitzondering></Uitzonderingen>",
    );
    stage.magda.say(Saying::soap(&nobody));
    let began = Instant::now();
    let ask = Ask::default();
    let calls = (0..12).map(|_| stage.ask(&city, &ask));
    for whole in futures(calls).await {
        assert_eq!(whole.outcome(), "RELEASED");
    }
    assert!(began.elapsed() > Duration::from_secs(2), "five, five and two");
    assert_eq!((stage.magda.heard().len(), observe(&stage.world, "rijksregister").turned_away), (12, 0));

    let hurry = [("grpc-timeout", "400m")];
    let ask = Ask { more: &hurry, ..ask };
    let calls = (0..40).map(|_| stage.ask(&city, &ask));
    let throttled = futures(calls).await.into_iter().filter(|whole| whole.outcome() == "SOURCE_THROTTLED");
    assert!(throttled.count() >= 30, "who cannot wait is told so");
}

/// Drives futures side by side.
async fn futures<T>(all: impl Iterator<Item = impl Future<Output = T>>) -> Vec<T> {
    use std::pin::Pin;
    let mut all: Vec<Pin<Box<_>>> = all.map(Box::pin).collect();
    let mut done: Vec<Option<T>> = all.iter().map(|_| None).collect();
    std::future::poll_fn(move |context| {
        for (future, done) in all.iter_mut().zip(&mut done) {
            if done.is_none()
                && let std::task::Poll::Ready(value) = future.as_mut().poll(context)
            {
                *done = Some(value);
            }
        }
        if done.iter().all(Option::is_some) {
            return std::task::Poll::Ready(done.iter_mut().filter_map(Option::take).collect());
        }
        std::task::Poll::Pending
    })
    .await
}
