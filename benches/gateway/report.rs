//! What was measured, as a page: tables, bars, and how to repeat it.

use std::fmt::{self, Write as _};

use jiff::Timestamp;

use crate::Fallible;
use crate::proc::{Cpu, Memory};
use crate::rounds::{Loaded, Plan, Round, median};
use crate::steps::Step;
use crate::world::Variant;

/// All that was measured.
pub struct Report {
    /// How much was measured.
    pub plan: Plan,
    /// The machine.
    pub machine: String,
    /// Its load average before.
    pub quiet: String,
    /// Bytes of the question, of the source's answer and of the gateway's.
    pub sizes: [usize; 3],
    /// The rounds.
    pub rounds: Vec<Round>,
    /// Memory at the end.
    pub memory: [Memory; 3],
    /// The gateway's processor time from first to last request, idle work included.
    pub whole: Cpu,
    /// The steps.
    pub steps: Vec<Step>,
}

/// A bar, and whether it is met.
pub struct Bar {
    what: &'static str,
    measured: String,
    allowed: String,
    /// Is it?
    pub met: bool,
}

const PASS: usize = Variant::Pass as usize;
const GATEWAY: usize = Variant::Gateway as usize;

impl Report {
    /// The bars of the project.
    pub fn bars(&self) -> [Bar; 3] {
        let ratio = self.ratio(GATEWAY, PASS);
        let commit = self.commit();
        let added = self.added();
        let bar = 2.0 * commit + 0.5;
        let peak = self.memory.get(GATEWAY).map_or(f64::NAN, |memory| memory.peak);
        [
            Bar {
                what: "processor time per request, against the pass-through",
                measured: format!("{ratio:.2}×"),
                allowed: "at most 2.0×".to_owned(),
                met: ratio <= 2.0,
            },
            Bar {
                what: "added latency, unloaded, p50",
                measured: format!("{added:.3} ms"),
                allowed: format!("at most 2 commits + 0.5 ms = {bar:.3} ms"),
                met: added <= bar,
            },
            Bar {
                what: "resident memory, peak",
                measured: format!("{peak:.1} MiB"),
                allowed: "under 100 MiB".to_owned(),
                met: peak < 100.0,
            },
        ]
    }

    /// The page.
    pub fn text(&self, now: Timestamp, command: &str) -> Fallible<String> {
        let mut page = String::new();
        self.introduce(&mut page, now, command)?;
        self.table_bars(&mut page)?;
        self.table_loaded(&mut page)?;
        self.table_alone(&mut page)?;
        self.table_memory(&mut page)?;
        self.table_steps(&mut page)?;
        Ok(page)
    }

    fn introduce(&self, page: &mut String, now: Timestamp, command: &str) -> fmt::Result {
        let [question, answer, released] = self.sizes;
        let Plan { rounds, requests, alone, commits, seed } = self.plan;
        let date = now.strftime("%Y-%m-%d");
        write!(
            page,
            "# Performance\n\n\
             Measured on {date} with `{command}` (seed {seed}); the numbers below are that command's output, word for word.\n\
             Machine: {}; load average before the run {}.\n\n\
             Three processes on loopback, mutual TLS 1.3 (P-256, AES-GCM) on both hops, HTTP/2, gRPC: a *bare* tonic \
             server that answers from memory and is the source of the other two; a *pass-through* of tonic server and \
             client with a codec that leaves bytes alone, multi-thread runtime, no router; and *sluis*, `serve` as the \
             demo sets it up: token, decision, two durable entries in SQLite (WAL, `synchronous=FULL`), minimisation. \
             All get the same question ({question} bytes) and headers, token included; the source answers {answer} \
             bytes, of which the instrument leaves {released}. The load generator is one thread; it checks the bytes, the status \
             and the log index of every reply.\n\n\
             {rounds} rounds; within each, everything once in random order: {requests} requests over 8 connections × 32 \
             streams, {alone} requests one at a time, {commits} one-row commits. Each after a tenth as many to warm up. \
             Figures are medians over rounds [least..most]; ratios are taken within a round, then their median. \
             Processor time is user and system time of the process (`/proc/PID/stat`); \
             the kernel's own threads, which write to the disk, are not in it.\n\n",
            self.machine, self.quiet
        )
    }

    fn table_bars(&self, page: &mut String) -> fmt::Result {
        page.push_str("## Bars\n\n| bar | measured | allowed | |\n|---|---|---|---|\n");
        for Bar { what, measured, allowed, met } in self.bars() {
            let verdict = if met { "met" } else { "**missed**" };
            writeln!(page, "| {what} | {measured} | {allowed} | {verdict} |")?;
        }
        Ok(())
    }

    fn table_loaded(&self, page: &mut String) -> fmt::Result {
        page.push_str(
            "\n## 8 connections × 32 streams\n\n\
             | | CPU µs/request | user / system | requests/s | p50 / p99 ms | CPU / bare | CPU / pass-through |\n\
             |---|---|---|---|---|---|---|\n",
        );
        for variant in Variant::ALL {
            let at = variant as usize;
            let of = |figure: fn(&Loaded) -> f64| median(self.loaded(at, figure));
            writeln!(
                page,
                "| {} | {} | {:.1} / {:.1} | {:.0} | {:.1} / {:.1} | {:.2} | {:.2} |",
                variant.name(),
                spread(self.loaded(at, |one| one.cpu), 1),
                of(|one| one.user),
                of(|one| one.system),
                of(|one| one.rate),
                of(|one| one.p50),
                of(|one| one.p99),
                self.ratio(at, Variant::Bare as usize),
                self.ratio(at, PASS),
            )?;
        }
        let ratios = spread(self.ratios(GATEWAY, PASS), 2);
        writeln!(
            page,
            "\nSluis against the pass-through, round by round: {ratios}. Over the whole run, with warming up, single \
             requests and the search index that is built when the log is quiet: {:.1} µs per request.",
            self.whole.total() / self.asked() * 1e6,
        )
    }

    fn table_alone(&self, page: &mut String) -> fmt::Result {
        page.push_str("\n## One request at a time\n\n| | p50 ms | p99 ms |\n|---|---|---|\n");
        for variant in Variant::ALL {
            let at = variant as usize;
            let p50 = spread(self.of_rounds(|round| round.alone.get(at).map(|alone| alone.p50)), 3);
            let p99 = spread(self.of_rounds(|round| round.alone.get(at).map(|alone| alone.p99)), 3);
            writeln!(page, "| {} | {p50} | {p99} |", variant.name())?;
        }
        let commits = spread(self.of_rounds(|round| Some(round.commit)), 3);
        writeln!(
            page,
            "\nA one-row commit into SQLite on the same file system, in the same rounds: {commits} ms. An exchange \
             waits for two: the question's before the source is asked, the disclosure's before the answer leaves. \
             Sluis adds {} ms to the pass-through's p50.",
            spread(self.added_by_round(), 3),
        )
    }

    fn table_memory(&self, page: &mut String) -> fmt::Result {
        page.push_str("\n## Memory\n\n| | peak MiB | at the end MiB |\n|---|---|---|\n");
        for (variant, Memory { peak, now }) in Variant::ALL.iter().zip(&self.memory) {
            writeln!(page, "| {} | {peak:.1} | {now:.1} |", variant.name())?;
        }
        Ok(())
    }

    fn table_steps(&self, page: &mut String) -> fmt::Result {
        page.push_str(
            "\n## What each step costs\n\n\
             Each alone, in one process, median of 31 batches; of the storage, the mean over all commits. What is left \
             of the processor time above is TLS, HTTP/2 and the kernel's sockets, twice, and the runtime.\n\n\
             | step | µs | CPU µs | times per exchange |\n|---|---|---|---|\n",
        );
        let mut sum = 0.0;
        for Step { name, wall, cpu, times } in &self.steps {
            sum += wall / 1e3 * f64::from(times.unwrap_or_default());
            let cpu = cpu.unwrap_or(*wall) / 1e3;
            let times = match times {
                Some(0) => String::new(),
                Some(times) => times.to_string(),
                None => "per entry".to_owned(),
            };
            writeln!(page, "| {name} | {:.2} | {cpu:.2} | {times} |", wall / 1e3)?;
        }
        writeln!(page, "| all steps of an exchange but storage | {sum:.2} | {sum:.2} | |")
    }

    fn of_rounds(&self, figure: impl Fn(&Round) -> Option<f64>) -> Vec<f64> {
        self.rounds.iter().filter_map(figure).collect()
    }

    fn loaded(&self, at: usize, figure: fn(&Loaded) -> f64) -> Vec<f64> {
        self.of_rounds(|round| round.loaded.get(at).map(figure))
    }

    fn ratios(&self, of: usize, to: usize) -> Vec<f64> {
        self.of_rounds(|round| Some(round.loaded.get(of)?.cpu / round.loaded.get(to)?.cpu))
    }

    fn ratio(&self, of: usize, to: usize) -> f64 {
        median(self.ratios(of, to))
    }

    fn commit(&self) -> f64 {
        median(self.of_rounds(|round| Some(round.commit)))
    }

    fn added_by_round(&self) -> Vec<f64> {
        self.of_rounds(|round| Some(round.alone.get(GATEWAY)?.p50 - round.alone.get(PASS)?.p50))
    }

    fn added(&self) -> f64 {
        median(self.added_by_round())
    }

    /// Requests that the gateway answered in all.
    #[allow(clippy::cast_precision_loss, reason = "nobody sends 2^52 requests")]
    fn asked(&self) -> f64 {
        let Plan { requests, alone, .. } = self.plan;
        let round = requests + requests / 10 + alone + alone / 10 + 11;
        (round as f64) * self.rounds.len() as f64
    }
}

/// Median, least and most.
fn spread(values: Vec<f64>, digits: usize) -> String {
    let least = values.iter().copied().fold(f64::INFINITY, f64::min);
    let most = values.iter().copied().fold(f64::NEG_INFINITY, f64::max);
    format!("{:.digits$} [{least:.digits$}..{most:.digits$}]", median(values))
}
