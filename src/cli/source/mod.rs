//! `sluis source`: what a gateway can ask, whether it can be reached, and how a partner becomes one.

mod add;
mod compile;
mod lint;
mod list;
mod probe;

use std::io::Write;
use std::path::Path;

use super::Failure;

/// Work with sources
#[derive(Debug, clap::Args)]
pub struct SourceArgs {
    #[command(subcommand)]
    command: SourceCommand,
}

#[derive(Debug, clap::Subcommand)]
enum SourceCommand {
    List(list::ListArgs),
    Probe(probe::ProbeArgs),
    Lint(lint::LintArgs),
    Build(compile::BuildArgs),
    Add(add::AddArgs),
}

/// Runs the command.
///
/// # Errors
/// Where a file cannot be read, or the answer is no.
pub fn run(args: &SourceArgs, out: &mut dyn Write) -> Result<(), Failure> {
    match &args.command {
        SourceCommand::List(args) => list::run(args, out),
        SourceCommand::Probe(args) => probe::run(args, out),
        SourceCommand::Lint(args) => lint::run(args, out),
        SourceCommand::Build(args) => compile::run(args, out),
        SourceCommand::Add(args) => add::run(args, out),
    }
}

/// A line of what a command tells.
fn say(out: &mut dyn Write, line: std::fmt::Arguments<'_>) -> Result<(), Failure> {
    writeln!(out, "{line}").map_err(|error| Failure::unavailable(format_args!("standard output: {error}")))
}

/// Writes a file as a whole or not at all.
fn write(file: &Path, bytes: &[u8]) -> Result<(), Failure> {
    let cannot = |error| Failure::unavailable(format_args!("{}: {error}", file.display()));
    let mut part = file.as_os_str().to_owned();
    part.push(".part");
    std::fs::write(&part, bytes).map_err(cannot)?;
    // Renamed into place: a gateway that reloads meanwhile reads the old file or the new one.
    if let Ok(old) = std::fs::metadata(file) {
        std::fs::set_permissions(&part, old.permissions()).map_err(cannot)?;
    }
    std::fs::rename(&part, file).map_err(cannot)
}
