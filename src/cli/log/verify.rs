//! `sluis log verify`: recomputes the log from its file. The one command that opens the log beside the gateway; it
//! shows nothing of any entry.

use std::error::Error;
use std::io::{IsTerminal, Write};
use std::path::{Path, PathBuf};

use serde_json::json;

use crate::cli::output::Output;
use crate::cli::{Exit, Failure};
use crate::config::Config;
use crate::disclosure::checkpoint::VerifierKey;
use crate::disclosure::high_water;
use crate::disclosure::keys::LogKeys;
use crate::disclosure::verify::{self, Evidence, Report, VerifyError};
use crate::domain::causes::causes;
use crate::domain::hex::hex;
use crate::store::sqlite::{SqliteSettings, SqliteStore};

/// Recompute the log, and name the first entry that does not fit
#[derive(Debug, clap::Args)]
pub struct VerifyArgs {
    /// The gateway's configuration: names the log and its keys, so that payloads are verified too
    #[arg(long, value_name = "FILE", required_unless_present = "database", conflicts_with = "database")]
    pub config: Option<PathBuf>,
    /// The log (SQLite), where only the public key is at hand
    #[arg(long, value_name = "FILE", requires = "public_key")]
    pub database: Option<PathBuf>,
    /// The log's public key, as `verify --config` shows it
    #[arg(long, value_name = "NAME+ID+KEY", requires = "database")]
    pub public_key: Option<String>,
    /// A checkpoint that you kept: the log must extend it; may be given again
    #[arg(long, value_name = "FILE")]
    pub checkpoint: Vec<PathBuf>,
    /// How to show the result
    #[arg(long, value_enum, default_value_t)]
    pub output: Output,
}

/// What a verified log is.
pub struct Verified {
    /// What was found.
    pub report: Report,
    /// The public key, in text.
    pub public_key: String,
}

pub(super) async fn run(args: &VerifyArgs, out: &mut dyn Write) -> Result<(), Failure> {
    let notes = args.checkpoint.iter().map(|path| text(path)).collect::<Result<Vec<_>, _>>()?;
    let verified = match (&args.config, &args.database, &args.public_key) {
        (Some(config), ..) => verify(&Config::read(config).map_err(Failure::misconfigured)?, notes).await?,
        (None, Some(database), Some(public_key)) => {
            let verifier: VerifierKey = public_key.parse().map_err(|_| {
                Failure::configuration("--public-key: write NAME+ID+KEY, as `verify --config` shows it")
            })?;
            of(database, &Evidence { verifier: &verifier, keys: None, notes: &notes }).await?
        }
        _ => return Err(Failure::configuration("give --config, or --database and --public-key")),
    };
    show(&verified, args.output, out)
        .map_err(|error| Failure::unavailable(format_args!("standard output: {error}")))
}

/// Verifies the log of a configuration, with its keys and its high-water mark. Where the mark is missing, `notes` must
/// have something in its place: without either, a log that was taken back looks as good as the newest.
///
/// # Errors
/// Where it does not verify, or cannot be read.
pub async fn verify(config: &Config, mut notes: Vec<String>) -> Result<Verified, Failure> {
    let keys = LogKeys::load(&config.log.key).map_err(Failure::misconfigured)?;
    let verifier = keys.verifier(&config.log.origin);
    let mark = high_water::read(&config.log.head)
        .map_err(|error| Failure::configuration(format_args!("{}: {error}", config.log.head.display())))?;
    notes.extend(mark);
    let evidence = Evidence { verifier: &verifier, keys: Some(&keys), notes: &notes };
    let found = of(&config.log.database, &evidence).await?;
    if notes.is_empty() && high_water::expected(found.report.size) {
        let (mark, size) = (config.log.head.display(), found.report.size);
        let missing = format_args!(
            "the log does not verify: its {size} entries fit, and its high-water mark {mark} is missing, so that \
             nothing tells whether they are all: give a --checkpoint that was kept"
        );
        return Err(Failure::new(Exit::Fault, missing));
    }
    Ok(found)
}

async fn of(database: &Path, evidence: &Evidence<'_>) -> Result<Verified, Failure> {
    let unreadable =
        |error: &dyn Error| Failure::unavailable(format_args!("{}: {}", database.display(), causes(error)));
    let store =
        SqliteStore::open_to_read(SqliteSettings::new(database)).await.map_err(|error| unreadable(&error))?;
    let terminal = std::io::stderr().is_terminal();
    let progress = |done: u64, all: u64| {
        if terminal && all > 100_000 && (done.is_multiple_of(102_400) || done == all) {
            let _ = write!(std::io::stderr(), "\r{done} of {all} entries");
        }
    };
    let report = verify::verify(&store, evidence, progress).await;
    store.close().await;
    let report = report.map_err(|error| match error {
        VerifyError::Store(error) => unreadable(&error),
        fault => Failure::new(Exit::Fault, format_args!("the log does not verify: {}", causes(&fault))),
    })?;
    Ok(Verified { report, public_key: evidence.verifier.to_string() })
}

fn show(verified: &Verified, output: Output, out: &mut dyn Write) -> std::io::Result<()> {
    let Verified { report, public_key } = verified;
    let Report { size, signed, unverified, open, .. } = *report;
    let (root, upto) = (hex(&report.root), size - unverified);
    match output {
        Output::Json => writeln!(
            out,
            "{:#}",
            json!({ "verified": true, "verified_size": upto, "unverified": unverified, "size": size, "root": root, "signed": signed, "open": open, "public_key": public_key })
        ),
        Output::Table => {
            writeln!(out, "log verified at size {upto}")?;
            if unverified > 0 {
                writeln!(
                    out,
                    "NOT verified: the last {unverified} of {size} entries. No signature covers them, and without the \
                     keys nothing else does;\nof a log in use these are the entries of about the last second. Hold it \
                     to a newer --checkpoint"
                )?;
            }
            writeln!(
                out,
                "root        {root}\nsigned up to {signed}\nopen        {open} questions\npublic key  {public_key}"
            )
        }
    }
}

fn text(path: &Path) -> Result<String, Failure> {
    std::fs::read_to_string(path)
        .map_err(|error| Failure::configuration(format_args!("{}: {error}", path.display())))
}
