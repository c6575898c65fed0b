//! Rounds: everything is measured once in each, in random order, so that what the machine does to one it does to all.

use std::fmt::Write as _;

use crate::commit::Scratch;
use crate::load::{Shape, Taken};
use crate::proc::Cpu;
use crate::world::{Variant, World};
use crate::{Fallible, say};

/// The load of the main table.
pub const LOADED: Shape = Shape { connections: 8, streams: 32 };
/// One request at a time.
pub const ALONE: Shape = Shape { connections: 1, streams: 1 };

/// How much is measured.
#[derive(Clone, Copy)]
pub struct Plan {
    /// Rounds.
    pub rounds: usize,
    /// Requests of one loaded measurement.
    pub requests: u64,
    /// Requests of one unloaded measurement.
    pub alone: u64,
    /// Commits of one measurement.
    pub commits: usize,
    /// What the order is drawn from.
    pub seed: u64,
}

/// One loaded measurement: per request in microseconds of processor, latencies in milliseconds.
#[derive(Clone, Copy, Default)]
pub struct Loaded {
    /// Processor time.
    pub cpu: f64,
    /// Of it, in the program.
    pub user: f64,
    /// Of it, in the kernel.
    pub system: f64,
    /// Requests a second.
    pub rate: f64,
    /// Median latency.
    pub p50: f64,
    /// What one in a hundred exceeds.
    pub p99: f64,
}

/// One unloaded measurement, in milliseconds.
#[derive(Clone, Copy, Default)]
pub struct Alone {
    /// Median latency.
    pub p50: f64,
    /// What one in a hundred exceeds.
    pub p99: f64,
}

/// One round. Variants stand in the order of [`Variant::ALL`].
#[derive(Clone, Copy, Default)]
pub struct Round {
    /// 8 connections of 32 streams.
    pub loaded: [Loaded; 3],
    /// One request at a time.
    pub alone: [Alone; 3],
    /// A one-row commit, in milliseconds.
    pub commit: f64,
}

#[derive(Clone, Copy)]
enum Measurement {
    Loaded(Variant),
    Alone(Variant),
    Commit,
}

/// Runs all rounds.
pub async fn run(world: &World, scratch: &mut Scratch, plan: Plan) -> Fallible<Vec<Round>> {
    let mut order = Order(plan.seed);
    let mut rounds = Vec::with_capacity(plan.rounds);
    for number in 1..=plan.rounds {
        let mut round = Round::default();
        let loaded = Variant::ALL.map(Measurement::Loaded);
        let alone = Variant::ALL.map(Measurement::Alone);
        let mut measurements = [&loaded[..], &alone, &[Measurement::Commit]].concat();
        order.shuffle(&mut measurements);
        let mut line = format!("round {number}/{}:", plan.rounds);
        for measurement in measurements {
            let said = measure(world, scratch, plan, measurement, &mut round).await?;
            let _ = write!(line, " {said};");
        }
        say(&line);
        rounds.push(round);
    }
    Ok(rounds)
}

async fn measure(
    world: &World,
    scratch: &mut Scratch,
    plan: Plan,
    measurement: Measurement,
    round: &mut Round,
) -> Fallible<String> {
    match measurement {
        Measurement::Loaded(variant) => {
            let (taken, cpu) = drive(world, variant, LOADED, plan.requests).await?;
            let loaded = Loaded::of(&taken, cpu);
            if let Some(slot) = round.loaded.get_mut(variant as usize) {
                *slot = loaded;
            }
            Ok(format!("{variant:?} {:.1} µs, {:.0}/s", loaded.cpu, loaded.rate))
        }
        Measurement::Alone(variant) => {
            let (taken, _) = drive(world, variant, ALONE, plan.alone).await?;
            let alone = Alone { p50: quantile(&taken, 0.5), p99: quantile(&taken, 0.99) };
            if let Some(slot) = round.alone.get_mut(variant as usize) {
                *slot = alone;
            }
            Ok(format!("{variant:?} p50 {:.3} ms", alone.p50))
        }
        Measurement::Commit => {
            round.commit = scratch.median(plan.commits).await?;
            Ok(format!("commit {:.3} ms", round.commit))
        }
    }
}

/// Connects, warms up with a tenth of the requests, then measures.
async fn drive(world: &World, variant: Variant, shape: Shape, requests: u64) -> Fallible<(Taken, Cpu)> {
    let line = world.caller()?.connect(world.target(variant), shape).await?;
    line.drive(requests / 10 + 1).await?;
    let before = world.cpu(variant)?;
    let taken = line.drive(requests).await?;
    Ok((taken, world.cpu(variant)?.since(before)))
}

impl Loaded {
    #[allow(clippy::cast_precision_loss, reason = "nobody sends 2^52 requests")]
    fn of(taken: &Taken, cpu: Cpu) -> Self {
        let requests = taken.latencies.len() as f64;
        Self {
            cpu: cpu.total() / requests * 1e6,
            user: cpu.user / requests * 1e6,
            system: cpu.system / requests * 1e6,
            rate: requests / taken.elapsed.as_secs_f64(),
            p50: quantile(taken, 0.5),
            p99: quantile(taken, 0.99),
        }
    }
}

/// A quantile of the latencies, in milliseconds.
#[allow(clippy::cast_precision_loss, reason = "latencies are far below 2^52 ns")]
fn quantile(taken: &Taken, quantile: f64) -> f64 {
    taken.latencies.value_at_quantile(quantile) as f64 / 1e6
}

/// The middle of some values; of an even number, the mean of the middle two. NaN of none.
pub fn median(mut values: Vec<f64>) -> f64 {
    values.sort_by(f64::total_cmp);
    let middle = values.len() / 2;
    match (values.get(middle.saturating_sub(1)), values.get(middle)) {
        (Some(low), Some(high)) if values.len().is_multiple_of(2) => f64::midpoint(*low, *high),
        (_, Some(middle)) => *middle,
        _ => f64::NAN,
    }
}

/// An order drawn from a seed (`SplitMix64`, Steele et al. 2014): the same seed, the same order.
struct Order(u64);

impl Order {
    fn shuffle<T>(&mut self, items: &mut [T]) {
        // Fisher and Yates.
        for last in (1..items.len()).rev() {
            let span = u64::try_from(last).unwrap_or(u64::MAX).saturating_add(1);
            items.swap(last, usize::try_from(self.next() % span).unwrap_or(last));
        }
    }

    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }
}
