//! `sluis protocol check`: what each instrument opens today, and what is wrong with its file.

use std::fmt;
use std::fs;
use std::io::{self, Write};
use std::path::{Path, PathBuf};

use comfy_table::{Table, presets};
use jiff::Timestamp;
use serde_json::{Value, json};

use super::output::Output;
use super::{Exit, Failure, sources};
use crate::clock;
use crate::config::Config;
use crate::domain::catalogue::{Catalogue, NotInForce};
use crate::domain::instrument::{Grant, Instrument, InstrumentError, PartyKey, Permission, sha256_text};
use crate::domain::vocabulary::Vocabulary;

/// Work with instruments
#[derive(Clone, Debug, clap::Args)]
pub struct ProtocolArgs {
    #[command(subcommand)]
    command: ProtocolCommand,
}

#[derive(Clone, Debug, clap::Subcommand)]
enum ProtocolCommand {
    Check(CheckArgs),
}

/// Runs the command.
///
/// # Errors
/// Where a file cannot be read, or is at fault.
pub fn run(args: &ProtocolArgs, out: &mut dyn Write) -> Result<(), Failure> {
    let ProtocolCommand::Check(args) = &args.command;
    let config = args.config.as_deref().map(Config::read).transpose().map_err(Failure::misconfigured)?;
    let vocabulary = match &config {
        Some(config) => sources::vocabulary(config)?,
        None => Vocabulary::embedded().map_err(Failure::misconfigured)?,
    };
    let folder = args.dir.clone().or(config.map(|config| config.protocols));
    let args = &CheckArgs { dir: folder, ..args.clone() };
    let catalogue = catalogue(args, &vocabulary).map_err(Failure::misconfigured)?;
    let sound = show(&catalogue, args.output, clock::now(), out)
        .map_err(|error| Failure::unavailable(format_args!("standard output: {error}")))?;
    if sound { Ok(()) } else { Err(Failure::new(Exit::Fault, "a faulty instrument opens nothing")) }
}

/// Judge instrument files, and show what each of them opens today
#[derive(Clone, Debug, clap::Args)]
pub struct CheckArgs {
    /// The files to judge together; without any, all of the folder
    #[arg(value_name = "FILE")]
    pub files: Vec<PathBuf>,
    /// The folder of instruments; without it, the configuration's, and without that `protocols`
    #[arg(long, value_name = "DIR", conflicts_with = "files")]
    pub dir: Option<PathBuf>,
    /// A configuration, where instruments speak of descriptor sets that it names
    #[arg(long, value_name = "FILE")]
    pub config: Option<PathBuf>,
    /// How to show the result
    #[arg(long, value_enum, default_value_t)]
    pub output: Output,
}

/// A file or folder of instruments that cannot be read.
#[derive(Debug)]
pub struct Unreadable {
    path: PathBuf,
    source: io::Error,
}

impl fmt::Display for Unreadable {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.path.display(), self.source)
    }
}

impl std::error::Error for Unreadable {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        Some(&self.source)
    }
}

/// The instrument files (`*.toml`) of a folder, by name, with their texts.
pub fn load(dir: &Path) -> Result<Vec<(String, String)>, Unreadable> {
    let unreadable = |source| Unreadable { path: dir.to_owned(), source };
    let mut files = Vec::new();
    for entry in fs::read_dir(dir).map_err(unreadable)? {
        let path = entry.map_err(unreadable)?.path();
        if path.extension().is_some_and(|extension| extension == "toml") {
            files.push(path);
        }
    }
    files.sort();
    read_all(&files)
}

fn read_all(files: &[PathBuf]) -> Result<Vec<(String, String)>, Unreadable> {
    let read = |path: &PathBuf| match fs::read_to_string(path) {
        Ok(text) => Ok((path.display().to_string(), text)),
        Err(source) => Err(Unreadable { path: path.clone(), source }),
    };
    files.iter().map(read).collect()
}

/// Loads the files and compiles them; what is wrong with one is in the catalogue.
pub fn catalogue(args: &CheckArgs, vocabulary: &Vocabulary) -> Result<Catalogue, Unreadable> {
    let files = if args.files.is_empty() {
        load(args.dir.as_deref().unwrap_or(Path::new("protocols")))?
    } else {
        read_all(&args.files)?
    };
    Ok(Catalogue::compile(&files, vocabulary))
}

/// Shows a catalogue as it is at `now`. Answers whether no file is faulty.
pub fn show(catalogue: &Catalogue, output: Output, now: Timestamp, out: &mut dyn Write) -> io::Result<bool> {
    match output {
        Output::Table => table(catalogue, now, out)?,
        Output::Json => writeln!(out, "{:#}", as_json(catalogue, now))?,
    }
    Ok(catalogue.broken().is_empty())
}

fn table(catalogue: &Catalogue, now: Timestamp, out: &mut dyn Write) -> io::Result<()> {
    let mut table = Table::new();
    table.load_style(presets::UTF8_HORIZONTAL_ONLY);
    table.set_header(["instrument", "purpose", "method and request", "answer"]);
    for instrument in catalogue.instruments() {
        let state = state(catalogue, instrument, now);
        let name = format!("{} {}\n{state}", instrument.id, instrument.version);
        if instrument.grants.is_empty() {
            table.add_row([&name, "opens nothing"]);
        }
        for grant in &instrument.grants {
            table.add_row([
                name.clone(),
                purpose(instrument, grant),
                format!("{}\n{}", short(&grant.method.name), grant.request.paths().join("\n")),
                grant.fields_text.to_string(),
            ]);
        }
    }
    writeln!(out, "{table}")?;
    for fault in catalogue.broken().iter().flat_map(|broken| &broken.errors) {
        writeln!(out, "{fault}")?;
    }
    for remark in catalogue.remarks() {
        writeln!(out, "{remark} (a remark, no fault)")?;
    }
    let (sound, faulty) = (catalogue.instruments().count(), catalogue.broken().len());
    writeln!(out, "{sound} sound, {faulty} faulty, catalogue {}", sha256_text(&catalogue.hash()))
}

fn as_json(catalogue: &Catalogue, now: Timestamp) -> Value {
    let instruments: Vec<Value> = catalogue
        .instruments()
        .map(|one| {
            json!({
                "file": one.file,
                "id": one.id,
                "version": one.version,
                "kind": one.kind.name(),
                "title": { "nl": one.title.nl, "en": one.title.en },
                "content_hash": sha256_text(&one.content_hash),
                "from": one.validity.from.to_string(),
                "until": one.validity.until.map(|date| date.to_string()),
                "supersedes": one.supersedes,
                "state": state(catalogue, one, now),
                "flows": one.grants.iter().map(|grant| flow_json(one, grant)).collect::<Vec<_>>(),
                "provenance": one.provenance.iter().map(|part| json!({
                    "block": part.block, "mark": part.mark.name(), "source": part.source,
                })).collect::<Vec<_>>(),
            })
        })
        .collect();
    let faults = catalogue.broken().iter().flat_map(|broken| &broken.errors);
    let listed = |one: &InstrumentError| json!({ "file": one.file, "line": one.line, "message": one.message });
    json!({
        "instruments": instruments,
        "faults": faults.map(listed).collect::<Vec<_>>(),
        "remarks": catalogue.remarks().iter().map(listed).collect::<Vec<_>>(),
        "catalogue_hash": sha256_text(&catalogue.hash()),
    })
}

fn flow_json(instrument: &Instrument, grant: &Grant) -> Value {
    json!({
        "purpose": grant.purpose,
        "article": grant.article,
        "legal_basis": grant.legal_basis,
        "method": grant.method.name,
        "from": titles(instrument, &grant.sources),
        "to": titles(instrument, &grant.recipients),
        "request": grant.request.paths(),
        "answer": grant.answer.paths(),
        "permissions": permissions(grant),
    })
}

/// For whom, and with which permissions.
fn purpose(instrument: &Instrument, grant: &Grant) -> String {
    let mut lines = vec![grant.purpose.to_string()];
    lines.extend(titles(instrument, &grant.recipients).iter().map(|title| format!("to {title}")));
    lines.extend(permissions(grant).iter().map(|word| format!("with {word}")));
    lines.join("\n")
}

/// Service and method, without the package.
fn short(method: &str) -> &str {
    let dot = method.rmatch_indices('.').nth(1);
    dot.and_then(|(at, _)| method.get(at + 1..)).unwrap_or(method)
}

/// What an operator asks first: does it open anything today, and if not, why not?
fn state(catalogue: &Catalogue, instrument: &Instrument, now: Timestamp) -> String {
    match catalogue.protocol(&instrument.id).map(|protocol| protocol.in_force(now)) {
        None => String::new(),
        Some(Err(closed)) => closed.to_string(),
        Some(Ok(version)) if version.version == instrument.version => String::from("in force"),
        Some(Ok(_)) if !instrument.validity.has_begun(now) => {
            NotInForce::NotYet(instrument.validity.from).to_string()
        }
        Some(Ok(version)) => format!("version {} counts", version.version),
    }
}

fn titles<'i>(instrument: &'i Instrument, keys: &[PartyKey]) -> Vec<&'i str> {
    let parties = instrument.parties.iter();
    let named = parties.filter(|party| party.key().is_some_and(|key| keys.contains(&key)));
    named.map(|party| &*party.title).collect()
}

fn permissions(grant: &Grant) -> Vec<&'static str> {
    grant.permissions.iter().map(Permission::name).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shown(args: &CheckArgs) -> (bool, String) {
        let vocabulary = Vocabulary::embedded().unwrap();
        let catalogue = catalogue(args, &vocabulary).unwrap();
        let mut out = Vec::new();
        let now = "2026-11-22T12:00:00Z".parse().unwrap();
        let sound = show(&catalogue, args.output, now, &mut out).unwrap();
        (sound, String::from_utf8(out).unwrap())
    }

    fn published(output: Output) -> CheckArgs {
        let dir = Path::new(env!("CARGO_MANIFEST_DIR")).join("protocols");
        CheckArgs { files: Vec::new(), dir: Some(dir), config: None, output }
    }

    #[test]
    fn shows_what_each_instrument_opens() {
        let (sound, table) = shown(&published(Output::Table));
        assert!(sound);
        for part in [
            "parking-offender",
            "superseded by rr-9-2020 from 2020-02-10",
            "expired after 2022-03-11",
            "opens nothing",
            "OCMW Leuven",
            "person.reference_person.position",
            "unflagged_address",
            "7 sound, 0 faulty, catalogue sha256:",
        ] {
            assert!(table.contains(part), "{part}\n{table}");
        }
    }

    #[test]
    fn shows_the_same_to_programs() {
        let (sound, json) = shown(&published(Output::Json));
        let json: Value = serde_json::from_str(&json).unwrap();
        assert!(sound);
        assert_eq!(json["faults"], json!([]));
        let leuven =
            json["instruments"].as_array().unwrap().iter().find(|one| one["id"] == "rr-leuven").unwrap();
        assert_eq!(leuven["state"], "in force");
        assert_eq!(leuven["flows"][0]["request"], json!(["insz"]));
        assert_eq!(leuven["flows"][1]["to"], json!(["Stad Leuven", "OCMW Leuven"]));
    }

    #[test]
    fn tells_faults_and_unreadable_files() {
        let manifest = Path::new(env!("CARGO_MANIFEST_DIR")).join("Cargo.toml");
        let args = CheckArgs { files: vec![manifest], dir: None, config: None, output: Output::Table };
        let (sound, table) = shown(&args);
        assert!(!sound && table.contains("Cargo.toml:1: the file lacks the key `id`"), "{table}");
        assert!(load(Path::new("/nowhere")).unwrap_err().to_string().starts_with("/nowhere: "));
    }
}
