//! The disclosure log fails, is slow, or is full while a caller waits: nothing leaves, and before the question is in the
//! log nobody is asked.

use sluis::cli::client::{Refusal, Reply};
use sluis::domain::reason::Reason;
use sluis::proto::audit::ListDisclosuresRequest;
use sluis::sandbox::Played;
use sluis::store::sqlite::{SqliteSettings, SqliteStore};

use crate::log_common::{Trouble, Troubled};
use crate::spy::{Says, Spy, instead_of, on_store};
use crate::support::{Ask, PIETER, Plan, World};
use crate::walk::kind_of;

async fn sqlite(world: &World, max_pages: Option<u32>) -> SqliteStore {
    let settings = SqliteSettings { max_pages, ..SqliteSettings::new(&world.config.log.database) };
    SqliteStore::open(settings).await.unwrap()
}

fn is_unavailable(what: &str, outcome: Result<Reply, Box<Refusal>>) {
    let Err(refusal) = outcome else { panic!("{what}: released") };
    assert_eq!(refusal.reason.as_deref(), Some(Reason::DisclosureLogUnavailable.name()), "{what}");
    assert_eq!(refusal.log_index, None, "{what}");
}

#[tokio::test]
async fn a_full_log_lets_nothing_out_and_asks_nobody() {
    let mut world = World::start("full-log").await;
    world.stop().await;
    let store = sqlite(&world, Some(120)).await;
    on_store(&mut world, store).await;
    let mut released = 0;
    let refused = loop {
        match world.call(&Ask::default()).await {
            Ok(_) => released += 1,
            refused => break refused,
        }
        assert!(released < 1000, "never full");
    };
    is_unavailable("where it is full", refused);
    // The last question may have found room where its disclosure did not.
    let asked = world.sandbox.questions(Played::Magda);
    assert!((released..=released + 1).contains(&asked), "{released} released, {asked} asked");
    for _ in 0..3 {
        is_unavailable("and stays so", world.call(&Ask::default()).await);
    }
    assert_eq!(world.sandbox.questions(Played::Magda), asked, "nobody is asked");
}

#[tokio::test]
async fn a_slow_log_lets_nothing_out_and_asks_nobody() {
    let hasty = |text: String| text.replace("[log]", "[log]\ndeadline_ms = 50");
    let mut world = World::planned("slow-log", Plan { configure: hasty, ..Plan::default() }).await;
    world.stop().await;
    let store = Troubled::new(sqlite(&world, None).await);
    on_store(&mut world, store.clone()).await;
    world.call(&Ask::default()).await.expect("while it is quick");
    let asked = world.sandbox.questions(Played::Magda);
    let (begun, go) = store.hold();
    let ask = Ask::default();
    let (outcome, ()) = tokio::join!(world.call(&ask), begun.notified());
    is_unavailable("while it does not answer", outcome);
    assert_eq!(world.sandbox.questions(Played::Magda), asked, "nobody is asked");
    go.notify_one();
    world.call(&Ask::default()).await.expect("it is quick again");
    world.verify().await;
}

/// The source has answered; the disclosure cannot be written.
#[tokio::test]
async fn an_answer_whose_disclosure_is_not_written_does_not_leave() {
    let mut world = World::start("unwritten").await;
    let spy = Spy::start(&world, Says::File(PIETER)).await;
    instead_of(&mut world, "housing", &spy).await;
    let store = Troubled::new({
        world.stop().await;
        sqlite(&world, None).await
    });
    on_store(&mut world, store.clone()).await;
    let ask = Ask::housing(PIETER);
    let (outcome, ()) = tokio::join!(world.call(&ask), async {
        spy.question().await;
        store.meet(Trouble::Fails);
        spy.answer();
    });
    is_unavailable("after the answer", outcome);
    spy.answer();
    let released = world.call(&ask).await.unwrap().log_index.unwrap();
    world.verify().await;
    let entries = world.entries(ListDisclosuresRequest::default()).await;
    let questions: Vec<_> = entries.iter().filter(|entry| kind_of(entry) == "KIND_ASKED").collect();
    let closed = questions.iter().map(|asked| {
        let closings = entries.iter().filter(|entry| entry.asked == Some(asked.index));
        closings.map(|entry| (kind_of(entry), entry.index == released)).collect::<Vec<_>>()
    });
    let closed: Vec<_> = closed.collect();
    assert_eq!(closed, [[("KIND_FAILED", false)], [("KIND_RELEASED", true)]]);
}
