//! The story: who asks what, how it must end, and what each side saw.

use std::fmt::Write as _;
use std::io::Write;
use std::net::SocketAddr;

use prost::Message as _;
use prost_reflect::{DynamicMessage, Value};

use super::{Party, Setting, say};
use crate::cli::client::{Client, Refusal, Reply};
use crate::cli::output::Output;
use crate::cli::{Failure, log, token};
use crate::clock;
use crate::domain::vocabulary::{Method, Vocabulary};
use crate::proto::audit::{Disclosure, ListDisclosuresRequest};
use crate::sandbox::{Played, Sandbox};

const PERSON: &str = "/sluis.rijksregister.v1.PersonService/GetPerson";
const HOUSING: &str = "/sandbox.housing.v1.HousingService/GetHousingFile";
const STATUSES: &str = "/sluis.ksz.v1.SocialStatusService/GetSocialStatuses";
const ISOLATION: &str = "/sluis.zorg.v1.IsolationService/GetIsolation";

/// The case that every question of the story belongs to.
const CASE: &str = "DEMO-2026/1";

const PIETER: &str = "84631230189";
const ANNELIES: &str = "86710230694";
const HILDE: &str = "88690338414";
const SOFIE: &str = "90662732454";
const NOBODY: &str = "85673003360";

/// One exchange of the story.
struct Scene {
    what: &'static str,
    who: &'static str,
    method: &'static str,
    subject: &'static str,
    protocol: &'static str,
    purpose: &'static str,
    fields: Option<&'static str>,
    /// What the request holds beside the number, as it stands on protobuf's wire.
    more: &'static [u8],
    ends: Ends,
}

/// How it must end.
enum Ends {
    Released,
    Refused(&'static str),
}

/// Asks the register for a parking offender, unless said otherwise.
const fn scene(what: &'static str, subject: &'static str, ends: Ends) -> Scene {
    Scene {
        what,
        who: "stad-leuven",
        method: PERSON,
        subject,
        protocol: "rr-leuven",
        purpose: "parking-offender",
        fields: None,
        more: b"",
        ends,
    }
}

/// One status: its name, and the day.
const INCREASED_REIMBURSEMENT: &[u8] = b"\x12\x15\x0a\x07BIM_BVT\x12\x0a2026-01-15";

const STORY: [Scene; 14] = [
    scene("The city writes to a parking offender: name and address", PIETER, Ends::Released),
    Scene {
        who: "ocmw-leuven",
        purpose: "attest",
        ..scene(
            "The OCMW issues an attest: civil state and place in the household too",
            ANNELIES,
            Ends::Released,
        )
    },
    Scene {
        fields: Some("person.name.last_names"),
        ..scene("The city asks for less than it may", ANNELIES, Ends::Released)
    },
    scene("A protected address is withheld, and looks like one that is absent", HILDE, Ends::Released),
    scene("Nobody has this number: an answer about a person too", NOBODY, Ends::Released),
    Scene {
        who: "ocmw-leuven",
        method: HOUSING,
        protocol: "housing-sandbox",
        purpose: "rent-subsidy-followup",
        ..scene("The OCMW asks the housing partner, over gRPC", PIETER, Ends::Released)
    },
    Scene {
        method: STATUSES,
        protocol: "ksz-gss-leuven",
        purpose: "automatic-grant",
        more: INCREASED_REIMBURSEMENT,
        ..scene(
            "The city asks the Crossroads Bank: has she a status that gives a reduction?",
            SOFIE,
            Ends::Released,
        )
    },
    Scene {
        fields: Some("person.name.last_names,person.civil_states.code"),
        ..scene(
            "The city asks for a civil state, which its purpose does not open",
            PIETER,
            Ends::Refused("FIELDS_NOT_COVERED"),
        )
    },
    Scene {
        purpose: "marketing",
        ..scene("The city invents a purpose", PIETER, Ends::Refused("PURPOSE_UNKNOWN"))
    },
    Scene {
        who: "ocmw-leuven",
        protocol: "housing-sandbox",
        purpose: "dwelling-quality",
        method: HOUSING,
        ..scene("The OCMW relies on a purpose that is the city's", PIETER, Ends::Refused("REQUESTER_NOT_PARTY"))
    },
    Scene {
        who: "stad-diest",
        protocol: "covid19-diest",
        purpose: "quarantine-enforcement",
        method: ISOLATION,
        ..scene("Diest relies on a protocol that has expired", PIETER, Ends::Refused("PROTOCOL_NOT_IN_FORCE"))
    },
    Scene {
        who: "stad-kortrijk",
        protocol: "rr-28-2009",
        purpose: "library-members",
        ..scene(
            "Kortrijk relies on a deliberation that a narrower one replaced",
            PIETER,
            Ends::Refused("PROTOCOL_NOT_IN_FORCE"),
        )
    },
    Scene {
        who: "stad-diest",
        ..scene("Diest relies on an instrument of Leuven", PIETER, Ends::Refused("REQUESTER_NOT_PARTY"))
    },
    Scene {
        who: "ocmw-leuven",
        method: HOUSING,
        protocol: "housing-sandbox",
        purpose: "rent-subsidy-followup",
        ..scene("The housing partner is down", PIETER, Ends::Refused("SOURCE_UNAVAILABLE"))
    },
];

/// How the story went.
#[derive(Default)]
pub struct Told {
    /// Exchanges that released something.
    pub released: usize,
    /// Exchanges that were refused.
    pub refused: usize,
    /// Exchanges that did not end as they must.
    pub surprises: usize,
}

/// Plays the story, then tells of each exchange what the caller saw and what the auditor sees in the log.
///
/// # Errors
/// Where a client cannot be made, or the auditor is refused.
pub async fn tell(
    setting: &Setting,
    gateway: SocketAddr,
    sources: &mut Sandbox,
    out: &mut dyn Write,
) -> Result<Told, Failure> {
    let vocabulary = Vocabulary::embedded().map_err(Failure::misconfigured)?;
    let mut ends = Vec::new();
    for scene in &STORY {
        if matches!(scene.ends, Ends::Refused("SOURCE_UNAVAILABLE")) {
            sources.stop(Played::Housing).await;
        }
        let method = vocabulary
            .method(scene.method)
            .ok_or_else(|| Failure::configuration(format_args!("{} is not in the vocabulary", scene.method)))?;
        ends.push((scene, method, play(setting, gateway, method, scene).await?));
    }

    let (client, token) = login(setting, gateway, "audit-leuven")?;
    let request = ListDisclosuresRequest { case: CASE.to_owned(), ..ListDisclosuresRequest::default() };
    let log::Found { entries, complete } = log::ask(&client, &token, request, usize::MAX).await?;
    let mut told = Told::default();
    for (number, (scene, method, ended)) in ends.iter().enumerate() {
        say(out, format_args!("{:>2}. {}", number + 1, scene.what))?;
        say(out, format_args!("    {} asks under {}, for {}", scene.who, scene.protocol, scene.purpose))?;
        let (index, line, expected) = match ended {
            Ok(reply) => {
                told.released += 1;
                (reply.log_index, released(method, reply), matches!(scene.ends, Ends::Released))
            }
            Err(refusal) => {
                told.refused += 1;
                let reason = refusal.reason.as_deref();
                let expected = matches!(scene.ends, Ends::Refused(expected) if reason == Some(expected));
                (refusal.log_index, refused(refusal), expected)
            }
        };
        say(out, format_args!("    caller: {line}"))?;
        let entry = entries.iter().find(|entry| Some(entry.index) == index);
        say(out, format_args!("    log:    {}", entry.map_or_else(|| "no entry".to_owned(), logged)))?;
        if !expected || entry.is_none() {
            told.surprises += 1;
            say(out, format_args!("    This is not how it should end"))?;
        }
    }
    let entries = entries.into_iter().filter(|entry| entry.subject_asked == ANNELIES).collect();
    say(out, format_args!("\nWhat the auditor finds about the person with number {ANNELIES}:"))?;
    log::show(&log::Found { entries, complete }, Output::Table, out)
        .map_err(|error| Failure::unavailable(format_args!("standard output: {error}")))?;
    Ok(told)
}

/// What the log says of an exchange: names of fields, never values.
fn logged(entry: &Disclosure) -> String {
    let mut text = format!("index {}, {}", entry.index, entry.outcome);
    let withheld: Vec<String> =
        entry.fields_withheld.iter().map(|one| format!("{} ({})", one.field, one.reason)).collect();
    for (what, fields) in
        [("requested", &entry.fields_requested), ("released", &entry.fields_released), ("withheld", &withheld)]
    {
        if !fields.is_empty() {
            let _ = write!(text, "\n            {what}: {}", wrapped(fields));
        }
    }
    text
}

/// Names joined by commas, in lines that a terminal shows whole.
fn wrapped(names: &[String]) -> String {
    let mut text = String::new();
    let mut width = 0;
    for (number, name) in names.iter().enumerate() {
        if number > 0 {
            text.push(',');
            let fits = width + name.len() < 80;
            text.push_str(if fits { " " } else { "\n              " });
            width = if fits { width + 2 } else { 0 };
        }
        text.push_str(name);
        width += name.len();
    }
    text
}

async fn play(
    setting: &Setting,
    gateway: SocketAddr,
    method: &Method,
    scene: &Scene,
) -> Result<Result<Reply, Box<Refusal>>, Failure> {
    let (client, token) = login(setting, gateway, scene.who)?;
    let mut question = DynamicMessage::new(method.input.clone());
    question.set_field_by_name("insz", Value::String(scene.subject.to_owned()));
    let mut metadata =
        vec![("sluis-protocol", scene.protocol), ("sluis-purpose", scene.purpose), ("sluis-case", CASE)];
    metadata.extend(scene.fields.map(|fields| ("sluis-fields", fields)));
    let question = [&question.encode_to_vec(), scene.more].concat();
    Ok(client.call(scene.method, &token, &metadata, &question).await)
}

fn login(setting: &Setting, gateway: SocketAddr, who: &str) -> Result<(Client, String), Failure> {
    let party: &Party =
        setting.party(who).ok_or_else(|| Failure::configuration(format_args!("no client named {who}")))?;
    let address = gateway.to_string();
    let client = Client::new(&address, &setting.authority(), &party.issued.certificate, &party.issued.key)?;
    let token = token::mint(&party.token(), clock::now()).map_err(Failure::misconfigured)?;
    Ok((client, token))
}

fn released(method: &Method, reply: &Reply) -> String {
    let mut values = Vec::new();
    if let Ok(message) = DynamicMessage::decode(method.output.clone(), reply.message.clone()) {
        flatten("", &message, &mut values);
    }
    if values.is_empty() {
        "OK, nothing".to_owned()
    } else {
        format!("OK\n            {}", values.join("\n            "))
    }
}

/// The values of a message, each with its path.
fn flatten(path: &str, message: &DynamicMessage, values: &mut Vec<String>) {
    for (field, value) in message.fields() {
        let path = if path.is_empty() { field.name().to_owned() } else { format!("{path}.{}", field.name()) };
        let each: Vec<&Value> = match value {
            Value::List(list) => list.iter().collect(),
            one => vec![one],
        };
        for one in each {
            match one {
                Value::Message(inner) => flatten(&path, inner, values),
                Value::String(text) => values.push(format!("{path} = {text}")),
                other => values.push(format!("{path} = {other}")),
            }
        }
    }
}

fn refused(refusal: &Refusal) -> String {
    let mut line = format!("refused, {}", refusal.reason.as_deref().unwrap_or("without a reason"));
    for key in ["field", "article"] {
        if let Some(text) = refusal.metadata.get(key) {
            let _ = write!(line, ", {key}: {text}");
        }
    }
    let _ = write!(line, "\n            {}", refusal.status.message());
    line
}
