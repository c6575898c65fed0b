//! `sluis source add`: a partner becomes a source of the configuration.

use std::fmt::Write as _;
use std::io::Write;
use std::path::{Path, PathBuf};

use serde_json::json;

use super::{lint, say, write};
use crate::cli::output::Output;
use crate::cli::sources::Reach;
use crate::cli::{Exit, Failure, sources};
use crate::config::{Config, Wire};
use crate::domain::instrument::sha256_text;
use crate::domain::vocabulary::{self, Method};

/// Write a source into the configuration, and say what to write in an instrument
#[derive(Debug, clap::Args)]
pub struct AddArgs {
    /// Its name, as its descriptors say it
    #[arg(value_name = "NAME")]
    pub name: String,
    /// Its address, `https://host:port`
    #[arg(long, value_name = "URL")]
    pub endpoint: String,
    /// Who issues its certificate (PEM)
    #[arg(long, value_name = "FILE")]
    pub ca: PathBuf,
    /// Its descriptor set, imports included
    #[arg(long, value_name = "FILE")]
    pub descriptors: PathBuf,
    /// Which wire it speaks
    #[arg(long, value_enum, default_value = "grpc")]
    pub wire: Wire,
    /// The gateway's certificate towards it, where it is another than the gateway's own (PEM)
    #[arg(long, value_name = "FILE", requires = "key")]
    pub certificate: Option<PathBuf>,
    /// The key of that certificate (PEM)
    #[arg(long, value_name = "FILE", requires = "certificate")]
    pub key: Option<PathBuf>,
    /// The configuration to write it into
    #[arg(long, value_name = "FILE", default_value = "sluis.toml")]
    pub config: PathBuf,
    /// How to show the methods
    #[arg(long, value_enum, default_value_t)]
    pub output: Output,
}

/// Adds it. Nothing is written unless a gateway would take all of it.
///
/// # Errors
/// Where the configuration cannot be read or written, or a gateway would refuse the source.
pub fn run(args: &AddArgs, out: &mut dyn Write) -> Result<(), Failure> {
    let cannot = |error| Failure::configuration(format_args!("{}: {error}", args.config.display()));
    let text = std::fs::read_to_string(&args.config).map_err(cannot)?;
    let old = Config::parse(&args.config, &text).map_err(Failure::misconfigured)?;
    if old.sources.iter().any(|source| source.name == args.name) {
        return Err(Failure::configuration(format_args!(
            "{}: source \"{}\" is there already: change its entry by hand, or remove it first",
            args.config.display(),
            args.name
        )));
    }
    // A lint names all that is wrong at once; the gateway's own reader stops at the first.
    let set = sources::read_set(&args.descriptors)
        .map_err(|error| Failure::configuration(format_args!("{}: {error}", args.descriptors.display())))?;
    let found = vocabulary::lint(&sources::vocabulary(&old)?, Some(&args.name), &set);
    if let refused @ 1.. = found.iter().filter(|finding| finding.refused).count() {
        lint::show(&found, Output::Table, out)?;
        return Err(Failure::new(
            Exit::Fault,
            format_args!(
                "{}: a gateway refuses it: {refused} to mend; nothing is written",
                args.descriptors.display()
            ),
        ));
    }
    let entry = entry(args)?;
    let gap = if text.is_empty() || text.ends_with('\n') { "" } else { "\n" };
    let text = format!("{text}{gap}{entry}");
    let config = Config::parse(&args.config, &text).map_err(Failure::misconfigured)?;
    let reach = Reach::load(&config, 1, None)?;
    write(&args.config, text.as_bytes())?;
    let methods: Vec<&Method> = reach
        .vocabulary
        .methods()
        .map(|method| &**method)
        .filter(|method| *method.source == args.name)
        .collect();
    match args.output {
        Output::Table => tell(args, &methods, found.len(), out),
        Output::Json => {
            let methods = methods.iter().map(|method| {
                json!({
                    "method": method.name,
                    "path": method.path,
                    "manner": method.manner.name(),
                    "subject": method.subject_path,
                    "descriptors": sha256_text(&method.descriptor_hash),
                })
            });
            let methods: Vec<_> = methods.collect();
            say(
                out,
                format_args!(
                    "{:#}",
                    json!({ "source": args.name, "methods": methods, "warnings": found.len() })
                ),
            )
        }
    }
}

/// The entry, as it stands at the end of the file: a table in a list, whatever stands before it.
fn entry(args: &AddArgs) -> Result<String, Failure> {
    let folder = args.config.parent().unwrap_or(Path::new("."));
    let mut text = String::from("\n[[source]]\n");
    let mut key = |name: &str, value: &str| {
        let _ = writeln!(text, "{name} = {}", toml::Value::from(value));
    };
    key("name", &args.name);
    key("wire", args.wire.name());
    key("endpoint", &args.endpoint);
    let paths =
        [("ca", Some(&args.ca)), ("certificate", args.certificate.as_ref()), ("key", args.key.as_ref())];
    for (name, path) in paths.into_iter().chain([("descriptors", Some(&args.descriptors))]) {
        if let Some(path) = path {
            key(name, &relative(folder, path)?);
        }
    }
    Ok(text)
}

/// A path as the configuration names it: relative to its folder where it lies in there, else in full.
fn relative(folder: &Path, path: &Path) -> Result<String, Failure> {
    let cannot = |error| Failure::configuration(format_args!("{}: {error}", path.display()));
    let folder = if folder.as_os_str().is_empty() { Path::new(".") } else { folder };
    let folder = folder.canonicalize().map_err(cannot)?;
    let path = path.canonicalize().map_err(cannot)?;
    let short = path.strip_prefix(&folder).unwrap_or(&path);
    short.to_str().map(str::to_owned).ok_or_else(|| {
        Failure::configuration(format_args!("{}: a configuration cannot name it: rename it", path.display()))
    })
}

fn tell(args: &AddArgs, methods: &[&Method], warnings: usize, out: &mut dyn Write) -> Result<(), Failure> {
    say(out, format_args!("{}: source \"{}\" is written\n", args.config.display(), args.name))?;
    if warnings > 0 {
        say(out, format_args!("{warnings} warnings: sluis source lint {}\n", args.descriptors.display()))?;
    }
    say(out, format_args!("In an instrument (protocols/README.md), a flow for each method that it opens:"))?;
    for method in methods {
        say(
            out,
            format_args!(
                "\n[[flow]]\nmethod = \"{}\"\nrequest = [\"{}\"]\nanswer = []   # the fields of {} that the purpose needs\n\
                 descriptors = \"{}\"",
                method.name,
                method.subject_path,
                method.output.full_name(),
                sha256_text(&method.descriptor_hash),
            ),
        )?;
    }
    say(
        out,
        format_args!(
            "\nIn registry.toml: nothing for who only answers; whoever asks stands there with its key, as `requester`.\n\
             Then: sluis protocol check --config {config}, sluis check-config --config {config}, \
             sluis source probe {name} --config {config}, and SIGHUP to the gateway.",
            config = args.config.display(),
            name = args.name,
        ),
    )
}
