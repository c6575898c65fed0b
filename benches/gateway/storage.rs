//! What the log's storage costs for each entry, by how many entries share a commit; and what the search index costs.

use std::path::Path;
use std::sync::Arc;
use std::time::Instant;

use sluis::clock;
use sluis::disclosure::keys::LogKeys;
use sluis::disclosure::merkle::Frontier;
use sluis::disclosure::seal::{SealedEntry, seal};
use sluis::disclosure::store::{Appended, Batch, Head, Row, Store as _};
use sluis::store::sqlite::{SqliteSettings, SqliteStore};

use crate::steps::{self, Step};
use crate::world::World;
use crate::{Fallible, proc};

/// Entries that share a commit.
const BATCHES: [usize; 4] = [1, 8, 32, 128];
/// Entries that the index takes in at a time, as the gateway does.
const CHUNK: u64 = 512;

/// Measures with about so many entries for each size.
pub async fn run(world: &World, dir: &Path, entries: usize) -> Fallible<Vec<Step>> {
    let keys = Arc::new(LogKeys::load(&world.config.log.key)?);
    let draft = steps::draft(world)?;
    let mut steps = Vec::new();
    let store = SqliteStore::open(SqliteSettings::new(dir.join("steps.db"))).await?;
    let mut place = Place { store, head: Head::empty(), tree: Frontier::default() };
    for size in BATCHES {
        let mut sealed = Vec::with_capacity(size);
        for at in 0..size {
            let mut random = [0; 42];
            getrandom::fill(&mut random)?;
            sealed.push(seal(&keys, &draft, clock::now(), &random).map_err(|_| format!("entry {at}"))?);
        }
        let batches = (entries / size / 4).max(4);
        let (started, before) = (Instant::now(), proc::cpu(std::process::id())?);
        for _ in 0..batches {
            place.append(&sealed).await?;
        }
        let name = format!("append and commit, {size} at once: tree and SQLite");
        steps.push(step(name, batches * size, started, before)?);
    }
    let (started, before) = (Instant::now(), proc::cpu(std::process::id())?);
    while place.store.index(CHUNK).await? > 0 {}
    let name = "extend the search index, when the log is quiet".to_owned();
    steps.push(step(name, usize::try_from(place.head.size)?, started, before)?);
    place.store.close().await;
    Ok(steps)
}

#[allow(clippy::cast_precision_loss, reason = "nobody appends 2^52 entries")]
fn step(name: String, entries: usize, started: Instant, before: proc::Cpu) -> Fallible<Step> {
    let wall = started.elapsed().as_secs_f64() * 1e9 / entries as f64;
    let cpu = proc::cpu(std::process::id())?.since(before).total() * 1e9 / entries as f64;
    Ok(Step { name, wall, cpu: Some(cpu), times: None })
}

/// A log's end, as its sequencer keeps it.
struct Place {
    store: SqliteStore,
    head: Head,
    tree: Frontier,
}

impl Place {
    async fn append(&mut self, sealed: &[SealedEntry]) -> Fallible<()> {
        for entry in sealed {
            self.tree.append(entry.leaf_hash);
        }
        let next = Head {
            size: self.tree.size(),
            root: self.tree.root(),
            frontier: self.tree.encode(),
            ..self.head.clone()
        };
        let rows: Vec<Row<'_>> = sealed.iter().map(|entry| Row { entry, place: [0; 16] }).collect();
        match self.store.append(Batch { expect: &self.head, next: &next, rows: &rows }).await? {
            Appended::Committed => self.head = next,
            Appended::Moved => return Err("the scratch log was written by another".into()),
        }
        Ok(())
    }
}
