//! `sluis log`: ask it as an auditor, or verify it.

mod query;
mod verify;

use std::io::Write;

pub use query::{Found, QueryArgs, ask, show};
pub use verify::{VerifyArgs, verify};

use super::Failure;

/// Ask the disclosure log as an auditor, or verify it
#[derive(Debug, clap::Args)]
pub struct LogArgs {
    #[command(subcommand)]
    command: LogCommand,
}

#[derive(Debug, clap::Subcommand)]
enum LogCommand {
    Query(Box<QueryArgs>),
    Verify(VerifyArgs),
}

/// Runs the command.
///
/// # Errors
/// Where the gateway or the log cannot be reached, refuses, or does not verify.
pub fn run(args: &LogArgs, out: &mut dyn Write) -> Result<(), Failure> {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .map_err(|error| Failure::unavailable(format_args!("no runtime: {error}")))?;
    match &args.command {
        LogCommand::Query(args) => runtime.block_on(query::run(args, out)),
        LogCommand::Verify(args) => runtime.block_on(verify::run(args, out)),
    }
}
