//! One source hangs; the others are to see nothing of it. Everything runs on one runtime of the gateway, so that whatever
//! they share is shared here. Rounds are paired: the other source is asked alone, and while callers hang, in turn.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use sluis::source::guard::State;
use tokio::task::JoinSet;

use crate::spy::{Says, Spy, instead_of};
use crate::support::caller::{Caller, Whole};
use crate::support::{Ask, PIETER, Plan, World};

const ROUNDS: usize = 11;
/// Questions to the other source in each half of a round, so many of them at once.
const QUESTIONS: usize = 60;
const AT_ONCE: usize = 3;
/// Callers of the source that hangs: more than it has places and room in its queue.
const HANGING: usize = 24;
const PLACES: usize = 8;

/// Somebody who asks one thing again and again.
struct Asking {
    caller: Caller,
    ask: Ask<'static>,
    bearer: String,
    message: Vec<u8>,
}

impl Asking {
    async fn of(world: &World, ask: Ask<'static>) -> Self {
        let party = world.setting.party(ask.who).unwrap();
        let caller = Caller::connect(&world.address(), &world.setting.authority(), &party.issued).await;
        let bearer = format!("Bearer {}", world.token(ask.who));
        Self { caller, ask, bearer, message: world.question(ask.method, ask.subject) }
    }

    async fn once(&self) -> Whole {
        let mut headers = self.ask.metadata();
        headers.push(("authorization", &self.bearer));
        self.caller.call(self.ask.method, &headers, &self.message).await
    }
}

/// The 95th percentile of what the other source takes; each of its answers must come.
async fn p95(asking: &Arc<Asking>) -> Duration {
    let mut tasks = JoinSet::new();
    for _ in 0..AT_ONCE {
        let asking = Arc::clone(asking);
        tasks.spawn(async move {
            let mut took = Vec::new();
            for _ in 0..QUESTIONS / AT_ONCE {
                let began = Instant::now();
                assert_eq!(asking.once().await.outcome(), "RELEASED");
                took.push(began.elapsed());
            }
            took
        });
    }
    let mut took = tasks.join_all().await.concat();
    took.sort_unstable();
    took[took.len() * 95 / 100]
}

/// Callers who hang, until this is dropped. They are refused, and come again after as long as they hung.
async fn hang(asking: &Arc<Asking>, world: &World, refused: &Arc<AtomicUsize>) -> JoinSet<()> {
    let mut tasks = JoinSet::new();
    for _ in 0..HANGING {
        let (asking, refused) = (Arc::clone(asking), Arc::clone(refused));
        tasks.spawn(async move {
            loop {
                let began = Instant::now();
                let outcome = asking.once().await.outcome();
                assert!(["SOURCE_TOO_SLOW", "SOURCE_THROTTLED"].contains(&outcome.as_str()), "{outcome}");
                refused.fetch_add(1, Ordering::Relaxed);
                tokio::time::sleep(Duration::from_millis(300).saturating_sub(began.elapsed())).await;
            }
        });
    }
    while world.running().guards.observe("housing").unwrap().in_flight < PLACES {
        tokio::time::sleep(Duration::from_millis(2)).await;
    }
    tasks
}

#[tokio::test]
async fn while_one_source_hangs_the_others_neither_fail_nor_slow_down() {
    // Callers give up before the source's deadline, so that it is never left alone: the worst of it lasts.
    let bounded = |text: String| {
        text.replace("name = \"housing\"\n", "name = \"housing\"\nconcurrency = 8\nqueue = 8\n")
            .replace("[tls]", "workers = 1\n\n[tls]")
    };
    let mut world = World::planned("hanging", Plan { configure: bounded, ..Plan::default() }).await;
    let spy = Spy::start(&world, Says::File(PIETER)).await;
    instead_of(&mut world, "housing", &spy).await;
    let other = Arc::new(Asking::of(&world, Ask::default()).await);
    let hanging = Ask { more: &[("grpc-timeout", "300m")], ..Ask::housing(PIETER) };
    let hanging = Arc::new(Asking::of(&world, hanging).await);
    let refused = Arc::new(AtomicUsize::new(0));

    p95(&other).await;
    let mut ratios = Vec::new();
    for round in 0..ROUNDS {
        let mut halves = [Duration::ZERO; 2];
        // Whichever comes first in one round comes last in the next.
        for half in [round % 2, 1 - round % 2] {
            let hung = if half == 1 { Some(hang(&hanging, &world, &refused).await) } else { None };
            halves[half] = p95(&other).await;
            if let Some(mut hung) = hung {
                while let Some(ended) = hung.try_join_next() {
                    ended.unwrap();
                }
                hung.shutdown().await;
            }
        }
        ratios.push(halves[1].as_secs_f64() / halves[0].as_secs_f64());
    }
    ratios.sort_by(f64::total_cmp);
    let seen = world.running().guards.observe("housing").unwrap();
    assert!(refused.load(Ordering::Relaxed) > HANGING && seen.turned_away > 0, "{seen:?}");
    assert_eq!(
        (seen.state, world.running().guards.observe("rijksregister").unwrap().turned_away),
        (State::Closed, 0)
    );
    println!("p95 while one hangs, to p95 alone: {ratios:.2?}");
    assert!(ratios[ROUNDS / 2] < 1.5, "p95 while one hangs, to p95 alone: {ratios:.2?}");
}
