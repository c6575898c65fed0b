//! kill -9 of the gateway under load: every answer that a client saw, and every question that a source saw, is in
//! the log. A gateway that answers before the append is caught by the same checks; one that is told to stop loses
//! nothing and leaves nothing open.
//!
//! A killed process leaves what it wrote with the system, so this tests the order of answer and append. That a
//! commit also survives a loss of power is the store's duty (WAL with `synchronous=FULL`, asserted when it opens).

#![cfg(unix)]
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    clippy::print_stdout,
    reason = "a test may fail loudly, and says what it did"
)]

mod late;
mod ledger;
mod load;
mod process;
#[path = "../support/mod.rs"]
mod support;

use std::collections::BTreeSet;
use std::net::SocketAddr;

use late::LateStore;
use ledger::{Ledger, Losses};
use load::{Answer, Load, STREAMS, Seen};
use process::Process;
use sluis::cli::demo::Setting;
use sluis::cli::log;
use sluis::cli::serve;
use sluis::clock;
use sluis::config::Config;
use sluis::disclosure::entry::Kind;
use sluis::disclosure::keys::LogKeys;
use sluis::disclosure::verify::{Evidence, verify};
use sluis::domain::vocabulary::Vocabulary;
use sluis::sandbox::{Played, Sandbox};
use sluis::store::sqlite::{SqliteSettings, SqliteStore};
use support::{Folder, Plan, World};

const ROUNDS: usize = 20;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_clients_and_sources_saw_survives_kill_9() {
    let place = Place::make("kill").await;
    let mut random = Random::seeded();
    let (mut ledger, mut seen, mut open) = (Ledger::default(), Vec::new(), BTreeSet::new());
    let mut cut_off = 0;
    for round in 0..ROUNDS {
        let replies = 20 + random.below(100);
        println!("round {round}: kill -9 after {replies} replies");
        let mut gateway = Process::serve(&place.setting).await;
        let mut load = place.load(&gateway);
        seen.extend(load.take(replies).await);
        gateway.kill().await;
        seen.extend(load.rest().await);

        ledger.read_on(&place.config).await;
        let losses = place.losses(&ledger, &seen);
        assert!(losses.is_empty(), "round {round}: {losses:#?}");
        let interrupted = ledger.closed_by(Kind::Interrupted);
        assert!(
            open.is_subset(&interrupted),
            "round {round}: the restart left questions of the last process open"
        );
        open = ledger.open();
        cut_off += open.len();
        assert_eq!(place.verify().await, (ledger.size(), open.len()), "round {round}");
    }
    assert!(cut_off > ROUNDS, "{ROUNDS} kills met {cut_off} questions: too few to show anything");
    for kind in [Kind::Released, Kind::Refused] {
        assert!(seen.iter().filter(|one| one.answer.kind() == kind).count() > ROUNDS, "{kind}");
    }
    let questions = ledger::journal(&place.journal());
    for source in ["rijksregister", "housing"] {
        assert!(questions.iter().filter(|question| question.source == source).count() > ROUNDS, "{source}");
    }

    let gateway = Process::serve(&place.setting).await;
    gateway.terminate().await;
    ledger.read_on(&place.config).await;
    assert!(open.is_subset(&ledger.closed_by(Kind::Interrupted)) && ledger.open().is_empty());
    assert_eq!(place.verify_all().await, (ledger.size(), 0));
    let (answers, questions) = (seen.len(), questions.len());
    println!("{answers} answers, {questions} questions, {cut_off} cut off, {} entries", ledger.size());
}

/// The control: the same gateway, the same load, the same checks; only that the store says `Committed` before it
/// has written. In time, it loses nothing. Late, it is found out.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_gateway_that_answers_before_the_append_is_found_out() {
    // So many rows that the pigeonhole makes the loss certain. A stream whose last k rows are held back has at least
    // k/2 - 1/2 answers among them, of which it waits for one at most: all streams together saw at least
    // (LATE - 3 * STREAMS) / 2 of the answers that are not in the log.
    const LATE: usize = 4 * STREAMS;
    for (late, found_out) in [(0, false), (LATE, true)] {
        let place = Place::make("late").await;
        let mut gateway = Process::late(&place.setting, late).await;
        let mut load = place.load(&gateway);
        let mut seen = load.take(LATE).await;
        gateway.kill().await;
        seen.extend(load.rest().await);

        let mut ledger = Ledger::default();
        ledger.read_on(&place.config).await;
        let Losses { answers, questions, .. } = place.losses(&ledger, &seen);
        println!(
            "{late} rows late: {} answers and {} questions are not logged",
            answers.len(),
            questions.len()
        );
        assert_eq!((!answers.is_empty(), !questions.is_empty()), (found_out, found_out), "{late} rows late");
    }
}

/// Does nothing unless it is the child of the test above: then it is a gateway whose store acknowledges first and
/// writes later.
#[tokio::test]
async fn the_child_serves() {
    let Some((folder, late)) = process::late_child() else { return };
    let _ = rustls::crypto::aws_lc_rs::default_provider().install_default();
    let config = Config::read(&folder.join("sluis.toml")).unwrap();
    let store = SqliteStore::open(SqliteSettings::new(&config.log.database)).await.unwrap();
    let _running = serve::start_with(config, LateStore::new(store, late)).await.unwrap();
    process::until_orphaned().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn sigterm_under_load_loses_nothing_and_leaves_nothing_open() {
    let place = Place::make("term").await;
    let gateway = Process::serve(&place.setting).await;
    let mut load = place.load(&gateway);
    let mut seen = load.take(300).await;
    gateway.terminate().await;
    seen.extend(load.rest().await);

    let mut ledger = Ledger::default();
    ledger.read_on(&place.config).await;
    let losses = place.losses(&ledger, &seen);
    assert!(losses.is_empty(), "{losses:#?}");
    assert_eq!(place.verify_all().await, (ledger.size(), 0));
    // Nothing was cut off: whatever was asked was answered, and whatever was released arrived.
    let released = ledger.closed_by(Kind::Released);
    assert_eq!(ledger.of_kind(Kind::Asked), released);
    let arrived = seen.iter().filter(|one| matches!(one.answer, Answer::Released { .. })).count();
    assert_eq!(released.len(), arrived);
}

/// A folder with all that a gateway needs, and sources that write down what they are asked.
struct Place {
    setting: Setting,
    config: Config,
    vocabulary: Vocabulary,
    _sandbox: Sandbox,
    folder: Folder,
}

impl Place {
    async fn make(name: &str) -> Self {
        let _ = rustls::crypto::aws_lc_rs::default_provider().install_default();
        let folder = Folder::new(name);
        let setting = Setting::make(&folder.0, clock::now()).unwrap();
        let plan = Plan { journal: true, ..Plan::default() };
        let any = SocketAddr::from(([127, 0, 0, 1], 0));
        let sandbox = World::sources(&setting, &folder.0, &plan, any).await;
        setting.configure(sandbox.address(Played::Magda), sandbox.address(Played::Housing)).unwrap();
        let config = Config::read(&setting.config()).unwrap();
        let vocabulary = Vocabulary::embedded().unwrap();
        Self { setting, config, vocabulary, _sandbox: sandbox, folder }
    }

    fn journal(&self) -> std::path::PathBuf {
        self.folder.0.join("journal.tsv")
    }

    fn losses(&self, ledger: &Ledger, seen: &[Seen]) -> Losses {
        Losses::of(ledger, seen, &ledger::journal(&self.journal()))
    }

    fn load(&self, gateway: &Process) -> Load {
        Load::start(&self.setting, &self.vocabulary, &gateway.address)
    }

    /// Size and open questions of a log that verifies, held to its public key and the high-water mark. Quick, so that
    /// it can follow each kill: the payloads were opened when the ledger read them.
    async fn verify(&self) -> (usize, usize) {
        let settings = &self.config.log;
        let verifier = LogKeys::load(&settings.key).unwrap().verifier(&settings.origin);
        let notes = [std::fs::read_to_string(&settings.head).unwrap()];
        let evidence = Evidence { verifier: &verifier, keys: None, notes: &notes };
        let store = SqliteStore::open_to_read(SqliteSettings::new(&settings.database)).await.unwrap();
        let report = verify(&store, &evidence, |_, _| {}).await.unwrap();
        store.close().await;
        (usize::try_from(report.size).unwrap(), report.open)
    }

    /// The same with all of the log's keys: what `sluis log verify --config` finds.
    async fn verify_all(&self) -> (usize, usize) {
        let verified = log::verify(&self.config, Vec::new()).await.map_err(|failure| failure.message).unwrap();
        (usize::try_from(verified.report.size).unwrap(), verified.report.open)
    }
}

/// `SplitMix64`: when to kill, from a seed that a failure shows.
struct Random(u64);

impl Random {
    fn seeded() -> Self {
        let mut seed = [0; 8];
        getrandom::fill(&mut seed).unwrap();
        let seed = u64::from_be_bytes(seed);
        println!("seed {seed}");
        Self(seed)
    }

    fn below(&mut self, bound: usize) -> usize {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        usize::try_from((z ^ (z >> 31)) % bound as u64).unwrap()
    }
}
