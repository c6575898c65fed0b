//! The commands, one a file: the only place that wires everything.

mod check_config;
pub mod client;
pub mod demo;
pub mod guards;
pub mod log;
pub mod output;
pub mod pki;
pub mod policy;
pub mod protocol;
mod runtimes;
mod sandbox;
pub mod serve;
mod source;
mod sources;
pub mod token;

use std::error::Error;
use std::fmt;
use std::io::Write;
use std::process::ExitCode;

use clap::{Parser, Subcommand};

use crate::domain::causes::causes;

/// A gateway between authorities: only what a published instrument opens, and nothing before it is in the log
#[derive(Debug, Parser)]
#[command(name = "sluis", version, arg_required_else_help = true, max_term_width = 100)]
struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    Demo(demo::DemoArgs),
    Serve(serve::ServeArgs),
    CheckConfig(check_config::CheckConfigArgs),
    Pki(pki::PkiArgs),
    Token(token::TokenArgs),
    Protocol(protocol::ProtocolArgs),
    Source(source::SourceArgs),
    Log(log::LogArgs),
    Sandbox(sandbox::SandboxArgs),
}

/// How a command ends. The numbers are part of the interface.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub enum Exit {
    /// Done as asked.
    Success = 0,
    /// Done, and the answer is no: the log does not verify, an instrument is at fault, a call was refused.
    Fault = 1,
    /// The command line is wrong (clap's own number).
    Usage = 2,
    /// The configuration, or a file that it names, cannot be used.
    Configuration = 3,
    /// Something that the command needs cannot be reached or written.
    Unavailable = 4,
}

/// Why a command did not end well: what to tell the user, and the exit status.
#[derive(Debug)]
pub struct Failure {
    /// The exit status.
    pub exit: Exit,
    /// What went wrong and what to mend.
    pub message: String,
}

impl Failure {
    /// A failure with its message.
    pub fn new(exit: Exit, message: impl fmt::Display) -> Self {
        Self { exit, message: message.to_string() }
    }

    /// The configuration cannot be used.
    pub fn configuration(message: impl fmt::Display) -> Self {
        Self::new(Exit::Configuration, message)
    }

    /// The configuration cannot be used, because of an error.
    pub fn misconfigured(error: impl Error) -> Self {
        Self::configuration(causes(&error))
    }

    /// Something that the command needs is not there, because of an error.
    pub fn unreachable(error: impl Error) -> Self {
        Self::unavailable(causes(&error))
    }

    /// Something that the command needs is not there.
    pub fn unavailable(message: impl fmt::Display) -> Self {
        Self::new(Exit::Unavailable, message)
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)
    }
}

impl Error for Failure {}

/// Parses the command line, runs the command, and says how it ended.
pub fn main() -> ExitCode {
    let cli = Cli::parse();
    // One provider for every TLS connection; where another is installed already, it is the same one.
    let _ = rustls::crypto::aws_lc_rs::default_provider().install_default();
    let mut out = std::io::stdout();
    let done = run(cli.command, &mut out).and_then(|()| {
        out.flush().map_err(|error| Failure::unavailable(format_args!("standard output: {error}")))
    });
    match done {
        Ok(()) => ExitCode::from(Exit::Success as u8),
        Err(failure) => {
            let _ = writeln!(std::io::stderr(), "sluis: {failure}");
            ExitCode::from(failure.exit as u8)
        }
    }
}

fn run(command: Command, out: &mut dyn Write) -> Result<(), Failure> {
    let now = crate::clock::now;
    match command {
        Command::Demo(args) => demo::run(&args, out),
        Command::Serve(args) => serve::run(&args),
        Command::CheckConfig(args) => check_config::run(&args, out),
        Command::Pki(args) => {
            pki::run(&args, now(), out).map_err(|error| Failure::new(error.exit(), causes(&error)))
        }
        Command::Token(args) => {
            token::run(&args, now(), out).map_err(|error| Failure::new(error.exit(), causes(&error)))
        }
        Command::Protocol(args) => protocol::run(&args, out),
        Command::Source(args) => source::run(&args, out),
        Command::Log(args) => log::run(&args, out),
        Command::Sandbox(args) => sandbox::run(&args, out),
    }
}
