use std::cell::Cell;
use std::future::ready;
use std::sync::Arc;

use tokio::task::JoinSet;

use super::*;

const SECOND: Duration = Duration::from_secs(1);

const BOUNDS: Bounds = Bounds {
    concurrency: 2,
    queue: 3,
    per_second: None,
    deadline: Duration::from_secs(5),
    retries: 1,
    failures: 1000,
    pause: Duration::from_secs(5),
};

async fn ask(
    guard: &Guard,
    manner: Manner,
    answers: &[Result<(), SourceError>],
) -> (Result<(), SourceError>, usize) {
    let put = Cell::new(0);
    let place = guard.admit(10 * SECOND).await.ok().unwrap();
    let outcome = place.ask(manner, 10 * SECOND, |_| ready(answers[put.replace(put.get() + 1)])).await;
    (outcome, put.get())
}

#[tokio::test(start_paused = true)]
async fn what_is_only_read_is_asked_once_more_and_only_where_the_source_cannot_have_answered() {
    use SourceError::*;
    let answer = Ok(());
    for (manner, retries, answers, expected, put) in [
        (Manner::Read, 1, &[Err(Down), answer][..], answer, 2),
        (Manner::Read, 1, &[Err(Throttled), answer], answer, 2),
        (Manner::Read, 1, &[Err(Down), Err(Throttled)], Err(Throttled), 2),
        (Manner::Read, 2, &[Err(Down), Err(Throttled), answer], answer, 3),
        (Manner::Read, 0, &[Err(Down)], Err(Down), 1),
        (Manner::Read, 1, &[Err(BrokenOff)], Err(BrokenOff), 1),
        (Manner::Read, 1, &[Err(Unavailable)], Err(Unavailable), 1),
        (Manner::Read, 1, &[Err(TooSlow)], Err(TooSlow), 1),
        (Manner::Read, 1, &[Err(Refused)], Err(Refused), 1),
        (Manner::Read, 1, &[Err(AnswerInvalid)], Err(AnswerInvalid), 1),
        (Manner::Modify, 2, &[Err(Down)], Err(Down), 1),
        (Manner::Modify, 2, &[Err(Throttled)], Err(Throttled), 1),
        (Manner::Push, 2, &[Err(Down)], Err(Down), 1),
        (Manner::Match, 2, &[Err(Down)], Err(Down), 1),
    ] {
        let guard = Guard::new("s", Bounds { retries, ..BOUNDS });
        assert_eq!(ask(&guard, manner, answers).await, (expected, put), "{manner:?} {answers:?}");
        assert_eq!(guard.observe().retried, put as u64 - 1);
        assert_eq!(guard.observe().in_flight, 0);
    }
}

#[tokio::test(start_paused = true)]
async fn a_retry_ends_with_its_budget_its_time_and_the_breaker() {
    let guard = Guard::new("s", BOUNDS);
    let mut put = 0;
    for _ in 0..100 {
        put += ask(&guard, Manner::Read, &[Err(SourceError::Down); 2]).await.1;
    }
    assert!((110..=121).contains(&put), "a tenth, and the reserve: {put}");

    let guard = Guard::new("s", BOUNDS);
    let place = guard.admit(SECOND).await.ok().unwrap();
    let began = Instant::now();
    let outcome = place.ask(Manner::Read, SECOND, |_| ready(Err::<(), _>(SourceError::Throttled))).await;
    assert_eq!(
        (outcome, began.elapsed()),
        (Err(SourceError::Throttled), Duration::ZERO),
        "a second is too long"
    );

    let guard = Guard::new("s", Bounds { failures: 1, ..BOUNDS });
    assert_eq!(ask(&guard, Manner::Read, &[Err(SourceError::Down)]).await, (Err(SourceError::Down), 1));
    assert_eq!(guard.admit(SECOND).await.err(), Some(TurnedAway::left_alone(BOUNDS.pause)));
}

#[tokio::test(start_paused = true)]
async fn a_question_has_its_sources_deadline_and_never_more_than_its_caller_has_left() {
    let guard = Guard::new("s", BOUNDS);
    for (left, expected) in [(60 * SECOND, BOUNDS.deadline), (2 * SECOND, 2 * SECOND)] {
        let given = Cell::new(Duration::ZERO);
        let place = guard.admit(left).await.ok().unwrap();
        place.ask(Manner::Read, left, |left| ready(Ok(given.replace(left)))).await.unwrap();
        assert_eq!(given.get(), expected);
    }
    let given = Cell::new(Duration::ZERO);
    let place = guard.admit(SECOND).await.ok().unwrap();
    let put = |left| ready(if given.replace(left).is_zero() { Err(SourceError::Down) } else { Ok(()) });
    place.ask(Manner::Read, SECOND, put).await.unwrap();
    assert_eq!(given.get(), SECOND.saturating_sub(BACKOFF), "of what is left, not anew");
}

#[tokio::test(start_paused = true)]
async fn a_full_queue_refuses_at_once_and_whoever_goes_away_makes_room() {
    let guard = Arc::new(Guard::new("s", BOUNDS));
    let held = [guard.admit(SECOND).await.ok().unwrap(), guard.admit(SECOND).await.ok().unwrap()];
    let mut waiting = JoinSet::new();
    for _ in 0..3 {
        let guard = Arc::clone(&guard);
        waiting.spawn(async move { guard.admit(60 * SECOND).await.map(|_| ()) });
    }
    while guard.observe().queued < 3 {
        tokio::task::yield_now().await;
    }
    let began = Instant::now();
    let full = TurnedAway { error: SourceError::Throttled, after: None };
    assert_eq!((guard.admit(SECOND).await.err(), began.elapsed()), (Some(full), Duration::ZERO));
    let observed = guard.observe();
    assert_eq!((observed.in_flight, observed.queued, observed.turned_away), (2, 3, 1));
    waiting.shutdown().await;
    assert_eq!(guard.observe().queued, 0);
    assert_eq!(
        guard.admit(SECOND).await.err().unwrap().error,
        SourceError::TooSlow,
        "after a second of waiting"
    );
    assert_eq!(began.elapsed(), SECOND);
    drop(held);
    assert!(guard.admit(SECOND).await.is_ok());
}

#[tokio::test(start_paused = true)]
async fn who_waits_is_told_when_the_source_is_left_alone() {
    let guard = Guard::new("s", Bounds { concurrency: 1, failures: 1, ..BOUNDS });
    let held = guard.admit(SECOND).await.ok().unwrap();
    let (turned_away, _) = tokio::join!(
        async { guard.admit(60 * SECOND).await.err() },
        held.ask(Manner::Read, 60 * SECOND, |_| async {
            sleep(SECOND).await;
            Err::<(), _>(SourceError::BrokenOff)
        })
    );
    assert_eq!(turned_away, Some(TurnedAway::left_alone(BOUNDS.pause)));
}

#[tokio::test(start_paused = true)]
async fn a_callers_short_deadline_is_no_fault_of_the_source() {
    for (left, state) in [(4 * SECOND, State::Closed), (60 * SECOND, State::Open)] {
        let guard = Guard::new("s", Bounds { failures: 1, ..BOUNDS });
        let place = guard.admit(left).await.ok().unwrap();
        let _ = place.ask(Manner::Read, left, |_| ready(Err::<(), _>(SourceError::TooSlow))).await;
        assert_eq!(guard.observe().state, state);
    }
}

/// A source that counts as the platform's throttle does, over any second.
#[tokio::test(start_paused = true)]
async fn the_throttle_of_the_platform_is_met_by_waiting_and_not_by_failing() {
    let bounds = Bounds { concurrency: 100, queue: 100, per_second: Some(10), ..BOUNDS };
    let guard = Arc::new(Guard::new("s", bounds));
    let arrived = Arc::new(std::sync::Mutex::new(Vec::new()));
    let mut asking = JoinSet::new();
    for _ in 0..95 {
        let (guard, arrived) = (Arc::clone(&guard), Arc::clone(&arrived));
        asking.spawn(async move {
            let place = guard.admit(10 * SECOND).await.ok()?;
            let asked = place.ask(Manner::Read, 10 * SECOND, |_| {
                let now = Instant::now();
                let mut arrived = arrived.lock().unwrap();
                arrived.push(now);
                let second = arrived.iter().filter(|then| now.duration_since(**then) < SECOND);
                ready(if second.count() > 10 { Err(SourceError::Throttled) } else { Ok(()) })
            });
            asked.await.ok()
        });
    }
    let answered = asking.join_all().await;
    assert_eq!(answered.iter().flatten().count(), 95);
    assert_eq!(
        (arrived.lock().unwrap().len(), guard.observe().retried),
        (95, 0),
        "none was turned down on the way"
    );
    let began = Instant::now();
    let hopeless = Guard::new("s", Bounds { queue: 100, ..bounds });
    let _held: Vec<_> = (0..10).map(|_| hopeless.pace.as_ref().unwrap().at_once().unwrap()).collect();
    let _queue: Vec<_> = (0..10).map(|_| Queued::join(&hopeless.queued)).collect();
    let told = hopeless.admit(SECOND).await.err().unwrap();
    assert_eq!(told, TurnedAway { error: SourceError::Throttled, after: Some(WINDOW) });
    assert_eq!(began.elapsed(), Duration::ZERO, "who would wait in vain is told at once");
}
