//! `sluis log query`: who received what about whom. Asked through the gateway, where each question is an entry.

use std::fmt;
use std::io::Write;
use std::num::NonZeroUsize;
use std::path::PathBuf;

use comfy_table::{Table, presets};
use jiff::Timestamp;
use prost::Message as _;
use prost_reflect::prost_types;
use serde_json::{Value, json};

use crate::cli::client::Client;
use crate::cli::output::Output;
use crate::cli::{Exit, Failure};
use crate::proto::audit::{Disclosure, Kind, ListDisclosuresRequest, ListDisclosuresResponse};
use crate::rpc::audit::LIST_DISCLOSURES;

/// Ask who received what about whom; every question is itself an entry
#[derive(clap::Args)]
pub struct QueryArgs {
    /// The gateway
    #[arg(long, value_name = "HOST:PORT")]
    pub gateway: String,
    /// Who issues the gateway's certificate (PEM)
    #[arg(long, value_name = "FILE")]
    pub ca: PathBuf,
    /// The auditor's certificate (PEM)
    #[arg(long, value_name = "FILE")]
    pub certificate: PathBuf,
    /// Its key (PEM)
    #[arg(long, value_name = "FILE")]
    pub key: PathBuf,
    /// A bearer token of the auditor's own issuer
    #[arg(long, value_name = "TOKEN")]
    pub token: String,
    /// The data subject (INSZ)
    #[arg(long, value_name = "INSZ", default_value = "", hide_default_value = true)]
    pub subject: String,
    /// The requester: KBO number, with /OVO code where the KBO number is shared
    #[arg(long, value_name = "KBO", default_value = "", hide_default_value = true)]
    pub organisation: String,
    /// The end user
    #[arg(long, value_name = "USER", default_value = "", hide_default_value = true)]
    pub end_user: String,
    /// The case
    #[arg(long, default_value = "", hide_default_value = true)]
    pub case: String,
    /// The instrument
    #[arg(long, value_name = "ID", default_value = "", hide_default_value = true)]
    pub protocol: String,
    /// The purpose under it
    #[arg(long, value_name = "ID", default_value = "", hide_default_value = true)]
    pub purpose: String,
    /// `RELEASED`, or a reason such as `FIELDS_NOT_COVERED`
    #[arg(long, default_value = "", hide_default_value = true)]
    pub outcome: String,
    /// Asked at or after this instant (2026-11-22T00:00:00+01:00)
    #[arg(long, value_name = "INSTANT")]
    pub from: Option<Timestamp>,
    /// Asked before this instant
    #[arg(long, value_name = "INSTANT")]
    pub until: Option<Timestamp>,
    /// At most so many entries; where it stops for this, it says so
    #[arg(long, default_value = "1000")]
    pub limit: NonZeroUsize,
    /// How to show them
    #[arg(long, value_enum, default_value_t)]
    pub output: Output,
}

// Whom it asks about is a personal datum, the token a secret.
impl fmt::Debug for QueryArgs {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("QueryArgs").finish_non_exhaustive()
    }
}

pub(super) async fn run(args: &QueryArgs, out: &mut dyn Write) -> Result<(), Failure> {
    let client = Client::new(&args.gateway, &args.ca, &args.certificate, &args.key)?;
    let request = ListDisclosuresRequest {
        subject: args.subject.clone(),
        organisation: args.organisation.clone(),
        end_user: args.end_user.clone(),
        protocol: args.protocol.clone(),
        purpose: args.purpose.clone(),
        outcome: args.outcome.clone(),
        case: args.case.clone(),
        period_from: args.from.map(timestamp),
        period_until: args.until.map(timestamp),
        ..ListDisclosuresRequest::default()
    };
    let found = ask(&client, &args.token, request, args.limit.get()).await?;
    if !found.complete && args.output == Output::Json {
        // Beside the entries, so that what reads them need not know of it.
        let _ = writeln!(std::io::stderr(), "sluis: stopped at --limit: there may be more entries");
    }
    show(&found, args.output, out)
        .map_err(|error| Failure::unavailable(format_args!("standard output: {error}")))
}

fn timestamp(time: Timestamp) -> prost_types::Timestamp {
    prost_types::Timestamp { seconds: time.as_second(), nanos: time.subsec_nanosecond() }
}

/// What was found.
pub struct Found {
    /// The entries, lowest index first.
    pub entries: Vec<Disclosure>,
    /// There are no others. Otherwise there may be: the limit was reached before the end of the log.
    pub complete: bool,
}

/// Asks page by page, until there is no more or `limit` is reached.
///
/// # Errors
/// Where the gateway refuses or cannot be reached.
pub async fn ask(
    client: &Client,
    token: &str,
    mut request: ListDisclosuresRequest,
    limit: usize,
) -> Result<Found, Failure> {
    let mut entries = Vec::new();
    loop {
        request.page_size = u32::try_from(limit.saturating_sub(entries.len())).unwrap_or(u32::MAX);
        let reply = client.call(LIST_DISCLOSURES, token, &[], &request.encode_to_vec()).await;
        let reply = reply.map_err(|refusal| match &refusal.reason {
            Some(reason) => {
                let down = refusal.status.code() == tonic::Code::Unavailable;
                let exit = if down { Exit::Unavailable } else { Exit::Fault };
                let damaged = refusal.metadata.get("damaged_entry");
                let which = damaged.map(|index| format!(": entry {index}")).unwrap_or_default();
                Failure::new(exit, format_args!("{reason}{which}: {}", refusal.status.message()))
            }
            None => Failure::unavailable(refusal.status.message()),
        })?;
        let page = ListDisclosuresResponse::decode(reply.message)
            .map_err(|_| Failure::unavailable("the gateway's answer cannot be read"))?;
        entries.extend(page.disclosures);
        let complete = page.next_page_token.is_empty();
        if complete || entries.len() >= limit {
            return Ok(Found { entries, complete });
        }
        request.page_token = page.next_page_token;
    }
}

/// Shows entries.
///
/// # Errors
/// Where `out` cannot be written.
pub fn show(found: &Found, output: Output, out: &mut dyn Write) -> std::io::Result<()> {
    let Found { entries, complete } = found;
    match output {
        Output::Json => {
            let entries = entries.iter().map(as_json).collect::<Value>();
            writeln!(out, "{entries:#}")
        }
        Output::Table => {
            let mut table = Table::new();
            table.load_style(presets::UTF8_HORIZONTAL_ONLY).set_header([
                "index",
                "entry",
                "asked",
                "who",
                "about",
                "under",
                "released, withheld (-)",
            ]);
            for entry in entries {
                table.add_row(row(entry));
            }
            let more = if *complete { "" } else { ", and there may be more: raise --limit" };
            writeln!(out, "{table}\n{} entries{more}", entries.len())
        }
    }
}

fn row(entry: &Disclosure) -> [String; 7] {
    let outcome = if entry.outcome == kind(entry) { "" } else { &entry.outcome };
    let asked = entry.time_asked.as_ref().and_then(instant).unwrap_or_default();
    let mut fields = entry.fields_released.clone();
    fields.extend(entry.fields_withheld.iter().map(|one| format!("- {} {}", one.field, one.reason)));
    [
        entry.index.to_string(),
        lines(&[kind(entry), outcome]),
        asked.split('.').next().unwrap_or_default().replace('T', "\n"),
        lines(&[&entry.requester, &entry.end_user]),
        lines(&[&entry.subject_asked, &entry.case]),
        lines(&[&entry.instrument, &entry.purpose]),
        fields.join("\n"),
    ]
}

fn lines(texts: &[&str]) -> String {
    texts.iter().filter(|text| !text.is_empty()).copied().collect::<Vec<_>>().join("\n")
}

fn kind(entry: &Disclosure) -> &'static str {
    Kind::try_from(entry.kind).map_or("?", |kind| kind.as_str_name().trim_start_matches("KIND_"))
}

fn instant(time: &prost_types::Timestamp) -> Option<String> {
    let time = Timestamp::new(time.seconds, time.nanos).ok()?;
    Some(time.to_string())
}

fn as_json(entry: &Disclosure) -> Value {
    json!({
        "index": entry.index,
        "entry_id": entry.entry_id,
        "kind": kind(entry),
        "time_asked": entry.time_asked.as_ref().and_then(instant),
        "time_settled": entry.time_settled.as_ref().and_then(instant),
        "requester": entry.requester,
        "processor": entry.processor,
        "system": entry.system,
        "key": entry.key,
        "end_user": entry.end_user,
        "asserted_by": entry.asserted_by,
        "case": entry.case,
        "source": entry.source,
        "method": entry.method,
        "manner": entry.manner,
        "instrument": entry.instrument,
        "instrument_version": entry.instrument_version,
        "instrument_hash": entry.instrument_hash,
        "purpose": entry.purpose,
        "legal_basis": entry.legal_basis,
        "subject_asked": entry.subject_asked,
        "subject_returned": entry.subject_returned,
        "fields_requested": entry.fields_requested,
        "fields_released": entry.fields_released,
        "fields_withheld": entry.fields_withheld.iter().map(|one| json!({ "field": one.field, "reason": one.reason })).collect::<Vec<_>>(),
        "outcome": entry.outcome,
        "policy_epoch": entry.policy_epoch,
        "request_digest": entry.request_digest,
        "response_digest": entry.response_digest,
        "trace_id": entry.trace_id,
        "request_id": entry.request_id,
        "registry_hash": entry.registry_hash,
        "asked": entry.asked,
        "detail": entry.detail,
    })
}
