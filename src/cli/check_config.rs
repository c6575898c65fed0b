//! `sluis check-config`: everything that `serve` would read, judged without serving.

use std::io::Write;
use std::path::PathBuf;

use serde_json::json;

use super::output::Output;
use super::sources::{self, Reach};
use super::{Exit, Failure, policy};
use crate::clock;
use crate::config::Config;
use crate::disclosure::keys::LogKeys;

/// Judge the configuration and all that it names, without serving
#[derive(Debug, clap::Args)]
pub struct CheckConfigArgs {
    /// The configuration
    #[arg(long, value_name = "FILE", default_value = "sluis.toml")]
    pub config: PathBuf,
    /// How to show the result
    #[arg(long, value_enum, default_value_t)]
    pub output: Output,
}

/// What stands between an instrument's file and its being law, until enactment is built.
const ENACTED: &str = "every instrument in the folder counts as enacted and published";

/// Checks, and says what is in force.
///
/// # Errors
/// Where `serve` would not start, or an instrument is closed by a fault.
pub fn run(args: &CheckConfigArgs, out: &mut dyn Write) -> Result<(), Failure> {
    let config = Config::read(&args.config).map_err(Failure::misconfigured)?;
    let reach = Reach::load(&config, 1, None)?;
    let loaded = policy::load(&config, &reach.vocabulary)?;
    LogKeys::load(&config.log.key).map_err(Failure::misconfigured)?;

    let now = clock::now();
    let in_force =
        |id: &str| loaded.catalogue.protocol(id).is_some_and(|protocol| protocol.in_force(now).is_ok());
    let catalogue = &loaded.catalogue;
    let open: Vec<&str> =
        catalogue.instruments().filter(|one| in_force(&one.id)).map(|instrument| &*instrument.id).collect();
    let faults: Vec<String> =
        catalogue.broken().iter().flat_map(|file| &file.errors).map(ToString::to_string).collect();
    let remarks = sources::remarks(&config, &reach.vocabulary);
    let organisations = loaded.registry.organisations().count();
    let written = match args.output {
        Output::Json => writeln!(
            out,
            "{:#}",
            json!({
                "organisations": organisations,
                "sources": config.sources.iter().map(|source| &source.name).collect::<Vec<_>>(),
                "instruments": catalogue.instruments().count(),
                "in_force": open,
                "faults": faults,
                "remarks": remarks,
                "test": config.test,
                "note": ENACTED,
            })
        ),
        Output::Table => writeln!(
            out,
            "organisations  {organisations}\nsources        {}\ninstruments    {}, in force: {}\ntest numbers   {}\nnote           {ENACTED}{}{}",
            config.sources.iter().map(|source| source.name.as_str()).collect::<Vec<_>>().join(", "),
            catalogue.instruments().count(),
            open.join(", "),
            if config.test { "accepted: not for production" } else { "refused" },
            remarks.iter().fold(String::new(), |all, remark| all + "\nremark         " + remark),
            faults.iter().fold(String::new(), |all, fault| all + "\nfault          " + fault),
        ),
    };
    written.map_err(|error| Failure::unavailable(format_args!("standard output: {error}")))?;
    if faults.is_empty() {
        Ok(())
    } else {
        Err(Failure::new(Exit::Fault, format_args!("{} faults in instruments: they are closed", faults.len())))
    }
}
