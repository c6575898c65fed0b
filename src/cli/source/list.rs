//! `sluis source list`: the sources of a configuration, what each serves, and until when its certificates hold.

use std::io::Write;
use std::path::{Path, PathBuf};

use comfy_table::{Table, presets};
use jiff::Timestamp;
use serde_json::{Value, json};

use super::say;
use crate::cli::output::Output;
use crate::cli::{Exit, Failure, policy, sources};
use crate::clock;
use crate::config::{Config, Source};
use crate::domain::vocabulary::Vocabulary;
use crate::gateway::brussels;
use crate::identity::certificate::PeerCertificate;
use crate::identity::tls;

/// Show the sources of a configuration, what each serves, and until when its certificates hold
#[derive(Debug, clap::Args)]
pub struct ListArgs {
    /// The configuration
    #[arg(long, value_name = "FILE", default_value = "sluis.toml")]
    pub config: PathBuf,
    /// How to show the result
    #[arg(long, value_enum, default_value_t)]
    pub output: Output,
}

/// What is shown of one source.
struct Row<'a> {
    source: &'a Source,
    methods: Vec<String>,
    certificate: Result<Timestamp, Failure>,
    authority: Result<Timestamp, Failure>,
}

/// Lists.
///
/// # Errors
/// Where the configuration cannot be read, or something of a source cannot be used.
pub fn run(args: &ListArgs, out: &mut dyn Write) -> Result<(), Failure> {
    let config = Config::read(&args.config).map_err(Failure::misconfigured)?;
    let (vocabulary, fault) = match sources::vocabulary(&config) {
        Ok(vocabulary) => (vocabulary, None),
        Err(failure) => (Vocabulary::embedded().map_err(Failure::misconfigured)?, Some(failure)),
    };
    let rows: Vec<Row<'_>> =
        config.sources.iter().map(|source| Row::of(source, &config, &vocabulary)).collect();
    let now = clock::now();
    match args.output {
        Output::Table => table(&rows, now, out)?,
        Output::Json => {
            say(out, format_args!("{:#}", json!(rows.iter().map(|row| row.json(now)).collect::<Vec<_>>())))?;
        }
    }
    let certificates = rows.iter().flat_map(|row| [&row.certificate, &row.authority]);
    let expired = certificates.clone().filter_map(|end| end.as_ref().ok()).any(|end| *end < now);
    match fault.or(expired.then(|| Failure::new(Exit::Fault, "a certificate is past its end: renew it"))) {
        Some(failure) => Err(failure),
        None if certificates.clone().any(Result::is_err) => {
            Err(Failure::configuration("a certificate cannot be read: see above"))
        }
        None => Ok(()),
    }
}

impl<'a> Row<'a> {
    fn of(source: &'a Source, config: &Config, vocabulary: &Vocabulary) -> Self {
        let certificate = source.certificate.as_ref().unwrap_or(&config.tls.certificate);
        let methods = vocabulary.methods().filter(|method| *method.source == *source.name);
        let methods = methods.map(|method| method.name.to_string()).collect();
        Self { source, methods, certificate: ends(certificate), authority: ends(&source.ca) }
    }

    fn json(&self, now: Timestamp) -> Value {
        let end = |end: &Result<Timestamp, Failure>| match end {
            Ok(end) => json!({ "until": end.to_string(), "expired": *end < now }),
            Err(failure) => json!({ "fault": failure.message }),
        };
        json!({
            "name": self.source.name,
            "wire": self.source.wire.name(),
            "endpoint": self.source.endpoint,
            "methods": self.methods,
            "descriptors": self.source.descriptors,
            "certificate": end(&self.certificate),
            "authority": end(&self.authority),
        })
    }
}

/// When the first certificate of a file ends that does.
fn ends(file: &Path) -> Result<Timestamp, Failure> {
    let wrong =
        |error: &dyn std::fmt::Display| Failure::configuration(format_args!("{}: {error}", file.display()));
    let certificates = tls::certificates(&policy::read(file)?).map_err(|error| wrong(&error))?;
    let mut first = None;
    for certificate in &certificates {
        let end = PeerCertificate::from_der(certificate).map_err(|error| wrong(&error))?.not_after();
        first = Some(first.map_or(end, |first: Timestamp| first.min(end)));
    }
    first.ok_or_else(|| wrong(&tls::TlsError::Certificates))
}

fn table(rows: &[Row<'_>], now: Timestamp, out: &mut dyn Write) -> Result<(), Failure> {
    let mut table = Table::new();
    table.load_style(presets::UTF8_HORIZONTAL_ONLY);
    table.set_header(["source", "wire and endpoint", "serves", "certificates end"]);
    for row in rows {
        let end = |what: &str, end: &Result<Timestamp, Failure>| match end {
            Ok(end) if *end < now => format!("{what} {}: EXPIRED", brussels(*end)),
            Ok(end) => format!("{what} {}", brussels(*end)),
            Err(failure) => format!("{what}: {failure}"),
        };
        let serves = if row.methods.is_empty() { "nothing".to_owned() } else { row.methods.join("\n") };
        table.add_row([
            row.source.name.clone(),
            format!("{}\n{}", row.source.wire.name(), row.source.endpoint),
            serves,
            [end("ours", &row.certificate), end("its issuer's", &row.authority)].join("\n"),
        ]);
    }
    say(out, format_args!("{table}"))
}
