//! `sluis sandbox`: the sources, played for trials.

use std::io::Write;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Duration;

use serde_json::json;

use super::output::Output;
use super::{Failure, policy};
use crate::identity::tls;
use crate::sandbox::{self, Played, Sandbox, Settings};

/// Play the sources with synthetic people, over their real wires
#[derive(Debug, clap::Args)]
pub struct SandboxArgs {
    /// Only list the people, and what goes wrong with some of them
    #[arg(long)]
    pub list: bool,
    /// How to show the list
    #[arg(long, value_enum, default_value_t)]
    pub output: Output,
    /// Where MAGDA listens
    #[arg(long, value_name = "ADDRESS", default_value = "127.0.0.1:8443")]
    pub magda: SocketAddr,
    /// Where the housing partner listens
    #[arg(long, value_name = "ADDRESS", default_value = "127.0.0.1:8444")]
    pub housing: SocketAddr,
    /// The sources' certificate (PEM)
    #[arg(long, value_name = "FILE", required_unless_present = "list")]
    pub certificate: Option<PathBuf>,
    /// Its key (PEM)
    #[arg(long, value_name = "FILE", required_unless_present = "list")]
    pub key: Option<PathBuf>,
    /// Who issues the certificates of gateways (PEM)
    #[arg(long, value_name = "FILE", required_unless_present = "list")]
    pub ca: Option<PathBuf>,
    /// An identification that MAGDA knows; may be given again. Without any, those of the example instruments
    #[arg(long, value_name = "URI")]
    pub identification: Vec<String>,
    /// A file to which every question that is received is added before it is answered
    #[arg(long, value_name = "FILE")]
    pub journal: Option<PathBuf>,
    /// How long the slow person's answer takes, in milliseconds
    #[arg(long, value_name = "MS", default_value_t = 30_000)]
    pub delay: u64,
    /// Where the bound addresses are written (JSON)
    #[arg(long, value_name = "FILE")]
    pub bound: Option<PathBuf>,
}

/// Identifications in the example instruments.
pub const IDENTIFICATIONS: [&str; 4] = [
    "leuven.be/ovo000000/ipdc001-aip",
    "leuven.be/ovo000000/ipdc002-aip",
    "leuven.be/ovo000000/ipdc003-aip",
    "leuven.be/ovo000000/ipdc004-aip",
];

/// Plays the sources until it is stopped, or lists the people.
///
/// # Errors
/// Where an address or a file cannot be used.
pub fn run(args: &SandboxArgs, out: &mut dyn Write) -> Result<(), Failure> {
    if args.list {
        return list(args.output, out);
    }
    let (Some(certificate), Some(key), Some(ca)) = (&args.certificate, &args.key, &args.ca) else {
        return Err(Failure::configuration("give --certificate, --key and --ca"));
    };
    let own = policy::credentials(certificate, key)?;
    let authorities = tls::certificates(&policy::read(ca)?).map_err(Failure::misconfigured)?;
    let tls = tls::source_server_config(&own, &authorities, &[]).map_err(Failure::misconfigured)?;
    let identifications = match args.identification.as_slice() {
        [] => IDENTIFICATIONS.map(str::to_owned).to_vec(),
        given => given.to_vec(),
    };
    let settings = Settings {
        magda: args.magda,
        housing: args.housing,
        tls,
        identifications,
        journal: args.journal.clone(),
        delay: Duration::from_millis(args.delay),
    };
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build()
        .map_err(|error| Failure::unavailable(format_args!("no runtime: {error}")))?;
    runtime.block_on(async {
        let sandbox = Sandbox::start(settings).await.map_err(Failure::unreachable)?;
        let bound = json!({
            "magda": sandbox.address(Played::Magda).to_string(),
            "housing": sandbox.address(Played::Housing).to_string(),
        });
        if let Some(file) = &args.bound {
            let part = file.with_extension("part");
            std::fs::write(&part, bound.to_string())
                .and_then(|()| std::fs::rename(&part, file))
                .map_err(|error| Failure::unavailable(format_args!("{}: {error}", file.display())))?;
        }
        writeln!(out, "{bound}").and_then(|()| out.flush()).map_err(Failure::unreachable)?;
        tokio::signal::ctrl_c().await.map_err(Failure::unreachable)
    })
}

fn list(output: Output, out: &mut dyn Write) -> Result<(), Failure> {
    let people = sandbox::list().map_err(Failure::unreachable)?;
    let written = match output {
        Output::Json => {
            let people: Vec<_> = people
                .iter()
                .map(|person| json!({ "insz": person.insz, "name": person.name, "note": person.note }))
                .collect();
            writeln!(out, "{:#}", json!(people))
        }
        Output::Table => {
            let mut table = comfy_table::Table::new();
            table.load_style(comfy_table::presets::UTF8_HORIZONTAL_ONLY).set_header(["INSZ", "name", "note"]);
            for person in &people {
                table.add_row([person.insz.as_str(), person.name.as_str(), person.note.as_str()]);
            }
            writeln!(out, "{table}")
        }
    };
    written.map_err(|error| Failure::unavailable(format_args!("standard output: {error}")))
}
