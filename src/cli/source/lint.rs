//! `sluis source lint`: what a partner's descriptors leave unsaid.

use std::io::Write;
use std::path::{Path, PathBuf};

use serde_json::json;

use super::{compile, say};
use crate::cli::output::Output;
use crate::cli::{Exit, Failure, sources};
use crate::config::Config;
use crate::domain::vocabulary::{Finding, Vocabulary, lint};

/// Judge descriptors before a gateway does, and say what they leave unsaid
#[derive(Debug, clap::Args)]
pub struct LintArgs {
    /// A descriptor set with imports, or a .proto
    #[arg(value_name = "FILE")]
    pub file: PathBuf,
    /// The name that its source has, or will have, in the configuration
    #[arg(long, value_name = "NAME")]
    pub source: Option<String>,
    /// A configuration, beside whose other sources it is to stand
    #[arg(long, value_name = "FILE")]
    pub config: Option<PathBuf>,
    /// Where imports of a .proto are looked for; may be given again. Without it, beside the file
    #[arg(long, short = 'I', value_name = "DIR")]
    pub include: Vec<PathBuf>,
    /// How to show the result
    #[arg(long, value_enum, default_value_t)]
    pub output: Output,
}

/// Judges.
///
/// # Errors
/// Where a gateway would refuse the set, or answers of one of its methods.
pub fn run(args: &LintArgs, out: &mut dyn Write) -> Result<(), Failure> {
    let vocabulary = match &args.config {
        Some(file) => beside(file, args.source.as_deref())?,
        None => Vocabulary::embedded().map_err(Failure::misconfigured)?,
    };
    let findings = lint(&vocabulary, args.source.as_deref(), &set(&args.file, &args.include)?);
    show(&findings, args.output, out)?;
    let refused = findings.iter().filter(|finding| finding.refused).count();
    match refused {
        0 => Ok(()),
        _ => Err(Failure::new(
            Exit::Fault,
            format_args!("{}: a gateway refuses it: {refused} to mend", args.file.display()),
        )),
    }
}

/// What the other sources of a configuration serve: the source itself is judged anew.
fn beside(file: &Path, source: Option<&str>) -> Result<Vocabulary, Failure> {
    let mut config = Config::read(file).map_err(Failure::misconfigured)?;
    config.sources.retain(|other| Some(other.name.as_str()) != source);
    sources::vocabulary(&config)
}

/// The set in a file; one that ends in `.proto` is compiled.
pub fn set(file: &Path, include: &[PathBuf]) -> Result<Vec<u8>, Failure> {
    if file.extension().is_some_and(|extension| extension == "proto") {
        compile::compile(&[file.to_owned()], include)
    } else {
        sources::read_set(file)
            .map_err(|error| Failure::configuration(format_args!("{}: {error}", file.display())))
    }
}

/// Shows findings.
pub fn show(findings: &[Finding], output: Output, out: &mut dyn Write) -> Result<(), Failure> {
    match output {
        Output::Table => {
            for finding in findings {
                say(out, format_args!("{finding}"))?;
            }
            let refused = findings.iter().filter(|finding| finding.refused).count();
            say(out, format_args!("{refused} refused, {} warnings", findings.len() - refused))
        }
        Output::Json => {
            let findings = findings.iter().map(|finding| {
                json!({
                    "refused": finding.refused,
                    "place": finding.place,
                    "message": finding.message,
                })
            });
            say(out, format_args!("{:#}", json!(findings.collect::<Vec<_>>())))
        }
    }
}
