//! The benchmark: this gateway with its durable log, against a bare tonic server and a minimal tonic pass-through.
//! `./dev bench` runs all of it and holds the result against the bars; `./dev bench --write` puts it into
//! `docs/performance.md`; `./dev bench --quick` only shows that the machinery works and that every reply is right.

mod commit;
mod load;
mod peers;
mod proc;
mod report;
mod rounds;
mod steps;
mod storage;
mod world;

use std::error::Error;
use std::fmt::Display;
use std::io::Write as _;
use std::path::PathBuf;
use std::process::ExitCode;

use clap::Parser;

use report::Report;
use rounds::Plan;
use world::{Folder, Variant, World};

/// What may go wrong ends the run.
pub type Fallible<T> = Result<T, Box<dyn Error + Send + Sync>>;

/// Measure the gateway against bare and pass-through servers
#[derive(Debug, Parser)]
#[command(name = "./dev bench")]
struct Args {
    /// One short round, no bars: shows that every reply is right
    #[arg(long)]
    quick: bool,
    /// Rounds; the bars ask for five at least
    #[arg(long, value_name = "N", default_value_t = 5)]
    rounds: usize,
    /// Requests of each loaded measurement
    #[arg(long, value_name = "N", default_value_t = 40_000)]
    requests: u64,
    /// What the order within rounds is drawn from; default: random
    #[arg(long, value_name = "N")]
    seed: Option<u64>,
    /// Where the logs are written; default: the build folder
    #[arg(long, value_name = "DIR")]
    dir: Option<PathBuf>,
    /// Write docs/performance.md
    #[arg(long, conflicts_with = "quick")]
    write: bool,
    /// What cargo says to every benchmark
    #[arg(long, hide = true)]
    bench: bool,
    #[command(flatten)]
    peer: peers::PeerArgs,
}

fn main() -> ExitCode {
    let args = Args::parse();
    // Another provider would be a mistake of the build; the same one is no matter.
    let _ = rustls::crypto::aws_lc_rs::default_provider().install_default();
    let done = match args.peer.peer {
        Some(role) => peers::run(role, &args.peer).map(|()| true),
        None => run(&args),
    };
    match done {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(error) => {
            say(format_args!("bench: {error}"));
            ExitCode::FAILURE
        }
    }
}

/// Runs everything; says whether all bars are met.
fn run(args: &Args) -> Fallible<bool> {
    // One thread: what asks should take as little as it can from what answers.
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    runtime.block_on(measure(args))
}

async fn measure(args: &Args) -> Fallible<bool> {
    let plan = plan(args)?;
    let quiet = proc::load_average()?;
    let folder = Folder::make(args.dir.as_deref())?;
    say(format_args!("in {}, seed {}, load average {quiet}", folder.path.display(), plan.seed));
    let world = World::start(&folder.path).await?;
    let mut scratch = commit::Scratch::open(&folder.path).await?;
    let before = world.cpu(Variant::Gateway)?;
    let rounds = rounds::run(&world, &mut scratch, plan).await?;
    let memory = Variant::ALL.map(|variant| world.memory(variant));
    let whole = world.cpu(Variant::Gateway)?.since(before);
    say("steps");
    let mut steps = steps::run(&world)?;
    steps.extend(storage::run(&world, &folder.path, if args.quick { 256 } else { 40_000 }).await?);
    let [bare, pass, gateway] = memory;
    let report = Report {
        plan,
        machine: proc::machine()?,
        quiet,
        sizes: [world.question.len(), world.answer.len(), world.target(Variant::Gateway).answer.len()],
        rounds,
        memory: [bare?, pass?, gateway?],
        whole,
        steps,
    };
    if args.quick {
        say("every reply was right; too short a run to judge by");
        return Ok(true);
    }
    let text = report.text(sluis::clock::now(), &command(args))?;
    std::io::stdout().write_all(text.as_bytes())?;
    if args.write {
        let file = concat!(env!("CARGO_MANIFEST_DIR"), "/docs/performance.md");
        std::fs::write(file, &text)?;
        say(format_args!("written to {file}"));
    }
    Ok(report.bars().iter().all(|bar| bar.met))
}

fn plan(args: &Args) -> Fallible<Plan> {
    let mut random = [0; 8];
    getrandom::fill(&mut random)?;
    // A seed that is easily typed again.
    let seed = args.seed.unwrap_or(u64::from_be_bytes(random) % 1_000_000);
    Ok(if args.quick {
        Plan { rounds: 1, requests: 1_000, alone: 100, commits: 20, seed }
    } else {
        let requests = args.requests.max(1);
        Plan { rounds: args.rounds.max(1), requests, alone: (requests / 20).max(100), commits: 200, seed }
    })
}

/// The command line that repeats this run.
fn command(args: &Args) -> String {
    let Args { rounds, requests, .. } = args;
    format!("./dev bench --rounds {rounds} --requests {requests} --write")
}

/// A line of progress.
pub fn say(line: impl Display) {
    // Who does not listen misses it.
    let _ = writeln!(std::io::stderr(), "{line}");
}
