//! `sluis demo`: the whole product on one machine, in one command: sources, gateway, a story of exchanges through
//! real mutual TLS, the auditor's view, and the proof that the log is whole.

mod setting;
mod story;

use std::io::Write;
use std::net::SocketAddr;
use std::os::unix::fs::DirBuilderExt as _;
use std::path::{Path, PathBuf};
use std::time::Duration;

pub use setting::{AUDIENCE, Party, Setting};

use super::{Exit, Failure, log, policy, sandbox::IDENTIFICATIONS, serve, serve::Signals};
use crate::clock;
use crate::config::Config;
use crate::identity::tls;
use crate::sandbox::{Played, Sandbox, Settings};

/// Run everything once, with synthetic people: sources, gateway, exchanges, audit, verification
#[derive(Debug, clap::Args)]
pub struct DemoArgs {
    /// Keep all running after the story
    #[arg(long)]
    pub stay: bool,
    /// Where it lives; default: a fresh temporary folder, removed at the end unless --stay
    #[arg(long, value_name = "DIR")]
    pub dir: Option<PathBuf>,
}

/// The reply of a source that is slow on purpose, for the story's sake.
const DELAY: Duration = Duration::from_secs(30);

/// Runs the demo.
///
/// # Errors
/// Where something cannot be started, or the story does not go as it should.
pub fn run(args: &DemoArgs, out: &mut dyn Write) -> Result<(), Failure> {
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(2)
        .enable_all()
        .build()
        .map_err(|error| Failure::unavailable(format_args!("no runtime: {error}")))?;
    let dir = match &args.dir {
        Some(dir) => dir.clone(),
        None => fresh_folder()?,
    };
    let done = runtime.block_on(play(&dir, args.stay, out));
    if args.dir.is_none() && !args.stay {
        // A folder that nobody asked for: what is left of it is the system's to clear.
        let _ = std::fs::remove_dir_all(&dir);
    }
    done
}

async fn play(dir: &Path, stay: bool, out: &mut dyn Write) -> Result<(), Failure> {
    let setting = Setting::make(dir, clock::now())?;
    say(out, format_args!("The demo lives in {}", setting.dir.display()))?;
    let any = SocketAddr::from(([127, 0, 0, 1], 0));
    let mut sources = start_sources(&setting, any, any).await?;
    let (magda, housing) = (sources.address(Played::Magda), sources.address(Played::Housing));
    setting.configure(magda, housing)?;
    say(
        out,
        format_args!(
            "Sources: the national register over MAGDA at {magda}, a housing partner over gRPC at {housing}"
        ),
    )?;

    let config = Config::read(&setting.config()).map_err(Failure::misconfigured)?;
    let running = serve::start(config.clone()).await?;
    setting.announce(running.gateway)?;
    say(out, format_args!("Gateway: {}, log in {}\n", running.gateway, config.log.database.display()))?;

    let told = story::tell(&setting, running.gateway, &mut sources, out).await?;
    let verified = log::verify(&config, vec![running.checkpoint()]).await?;
    let size = verified.report.size;
    let kept = if stay {
        // The partner that the story took down is there again, at its old address.
        let again = start_sources(&setting, any, housing).await?;
        let endpoints = setting.dir.join("endpoints.json");
        say(out, format_args!("All stays up; see {}. Stop with Ctrl-C.", endpoints.display()))?;
        Some((again, Signals::heed()?))
    } else {
        None
    };
    // Last, so that whoever waits for this line finds everything as it will stay.
    say(
        out,
        format_args!("demo: {} released, {} refused, log verified at size {size}", told.released, told.refused),
    )?;
    if told.surprises > 0 {
        return Err(Failure::new(
            Exit::Fault,
            format_args!("{} exchanges did not end as they should", told.surprises),
        ));
    }
    if let Some((_again, signals)) = kept {
        signals.until_told(&running).await;
    }
    running.stop().await;
    Ok(())
}

async fn start_sources(setting: &Setting, magda: SocketAddr, housing: SocketAddr) -> Result<Sandbox, Failure> {
    let own = policy::credentials(&setting.sources.certificate, &setting.sources.key)?;
    let authorities =
        tls::certificates(&policy::read(&setting.authority())?).map_err(Failure::misconfigured)?;
    let tls = tls::source_server_config(&own, &authorities, &[]).map_err(Failure::misconfigured)?;
    let settings = Settings {
        magda,
        housing,
        tls,
        identifications: IDENTIFICATIONS.map(str::to_owned).to_vec(),
        journal: None,
        delay: DELAY,
    };
    Sandbox::start(settings).await.map_err(|error| Failure::unavailable(format_args!("the sources: {error}")))
}

fn fresh_folder() -> Result<PathBuf, Failure> {
    let mut random = [0; 8];
    getrandom::fill(&mut random).map_err(Failure::unreachable)?;
    let dir = std::env::temp_dir().join(format!("sluis-demo-{:016x}", u64::from_be_bytes(random)));
    // For its owner alone: it holds keys.
    std::fs::DirBuilder::new().mode(0o700).create(&dir).map_err(Failure::unreachable)?;
    Ok(dir)
}

/// A line, seen at once.
fn say(out: &mut dyn Write, line: std::fmt::Arguments<'_>) -> Result<(), Failure> {
    writeln!(out, "{line}")
        .and_then(|()| out.flush())
        .map_err(|error| Failure::unavailable(format_args!("standard output: {error}")))
}
