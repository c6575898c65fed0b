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
use crate::proto::audit::ListDisclosuresRequest;
use crate::sandbox::{Played, Sandbox};

const PERSON: &str = "/sluis.rijksregister.v1.PersonService/GetPerson";
const HOUSING: &str = "/sandbox.housing.v1.HousingService/GetHousingFile";
const ISOLATION: &str = "/sluis.zorg.v1.IsolationService/GetIsolation";

/// One exchange of the story.
struct Scene {
    what: &'static str,
    who: &'static str,
    method: &'static str,
    subject: &'static str,
    protocol: &'static str,
    purpose: &'static str,
    fields: Option<&'static str>,
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
        ends,
    }
}

const STORY: [Scene; 13] = [
    scene("The city writes to a parking offender: name and address", "84631230189", Ends::Released),
    Scene {
        who: "ocmw-leuven",
        purpose: "attest",
        ..scene(
            "The OCMW issues an attest: civil state and place in the household too",
            "86710230694",
            Ends::Released,
        )
    },
    Scene {
        fields: Some("person.name.last_names"),
        ..scene("The city asks for less than it may", "86710230694", Ends::Released)
    },
    scene("A protected address is withheld, and looks like one that is absent", "88690338414", Ends::Released),
    scene("Nobody has this number: an answer about a person too", "85673003360", Ends::Released),
    Scene {
        who: "ocmw-leuven",
        method: HOUSING,
        protocol: "housing-sandbox",
        purpose: "rent-subsidy-followup",
        ..scene("The OCMW asks the housing partner, over gRPC", "84631230189", Ends::Released)
    },
    Scene {
        fields: Some("person.name.last_names,person.civil_states.code"),
        ..scene(
            "The city asks for a civil state, which its purpose does not open",
            "84631230189",
            Ends::Refused("FIELDS_NOT_COVERED"),
        )
    },
    Scene {
        purpose: "marketing",
        ..scene("The city invents a purpose", "84631230189", Ends::Refused("PURPOSE_UNKNOWN"))
    },
    Scene {
        who: "ocmw-leuven",
        protocol: "housing-sandbox",
        purpose: "dwelling-quality",
        method: HOUSING,
        ..scene(
            "The OCMW relies on a purpose that is the city's",
            "84631230189",
            Ends::Refused("REQUESTER_NOT_PARTY"),
        )
    },
    Scene {
        who: "stad-diest",
        protocol: "covid19-diest",
        purpose: "quarantine-enforcement",
        method: ISOLATION,
        ..scene(
            "Diest relies on a protocol that has expired",
            "84631230189",
            Ends::Refused("PROTOCOL_NOT_IN_FORCE"),
        )
    },
    Scene {
        who: "stad-kortrijk",
        protocol: "rr-28-2009",
        purpose: "library-members",
        ..scene(
            "Kortrijk relies on a deliberation that a narrower one replaced",
            "84631230189",
            Ends::Refused("PROTOCOL_NOT_IN_FORCE"),
        )
    },
    Scene {
        who: "stad-diest",
        ..scene("Diest relies on an instrument of Leuven", "84631230189", Ends::Refused("REQUESTER_NOT_PARTY"))
    },
    Scene {
        who: "ocmw-leuven",
        method: HOUSING,
        protocol: "housing-sandbox",
        purpose: "rent-subsidy-followup",
        ..scene("The housing partner is down", "84631230189", Ends::Refused("SOURCE_UNAVAILABLE"))
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

/// Plays the story, and shows what the auditor sees of it.
///
/// # Errors
/// Where a client cannot be made, or the auditor is refused.
pub async fn tell(
    setting: &Setting,
    gateway: SocketAddr,
    sources: &mut Sandbox,
    out: &mut dyn Write,
) -> Result<Told, Failure> {
    let vocabulary = Vocabulary::embedded().map_err(Failure::configuration)?;
    let mut told = Told::default();
    for (number, scene) in STORY.iter().enumerate() {
        if matches!(scene.ends, Ends::Refused("SOURCE_UNAVAILABLE")) {
            sources.stop(Played::Housing).await;
        }
        let method = vocabulary
            .method(scene.method)
            .ok_or_else(|| Failure::configuration(format_args!("{} is not in the vocabulary", scene.method)))?;
        say(out, format_args!("{:>2}. {}", number + 1, scene.what))?;
        let ended = play(setting, gateway, method, scene).await?;
        let (expected, line) = match (&ended, &scene.ends) {
            (Ok(reply), ends) => {
                told.released += 1;
                (matches!(ends, Ends::Released), released(method, reply))
            }
            (Err(refusal), ends) => {
                told.refused += 1;
                let reason = refusal.reason.as_deref();
                (matches!(ends, Ends::Refused(expected) if reason == Some(expected)), refused(refusal))
            }
        };
        say(out, format_args!("    {} asks {} for {}: {line}", scene.who, scene.protocol, scene.purpose))?;
        if !expected {
            told.surprises += 1;
            say(out, format_args!("    This is not how it should end"))?;
        }
    }
    audit(setting, gateway, out).await?;
    Ok(told)
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
    let mut metadata = vec![
        ("sluis-protocol", scene.protocol),
        ("sluis-purpose", scene.purpose),
        ("sluis-case", "DEMO-2026/1"),
    ];
    metadata.extend(scene.fields.map(|fields| ("sluis-fields", fields)));
    Ok(client.call(scene.method, &token, &metadata, &question.encode_to_vec()).await)
}

fn login(setting: &Setting, gateway: SocketAddr, who: &str) -> Result<(Client, String), Failure> {
    let party: &Party =
        setting.party(who).ok_or_else(|| Failure::configuration(format_args!("no client named {who}")))?;
    let address = gateway.to_string();
    let client = Client::new(&address, &setting.authority(), &party.issued.certificate, &party.issued.key)?;
    let token = token::mint(&party.token(), clock::now()).map_err(Failure::configuration)?;
    Ok((client, token))
}

fn released(method: &Method, reply: &Reply) -> String {
    let mut values = Vec::new();
    if let Ok(message) = DynamicMessage::decode(method.output.clone(), reply.message.clone()) {
        flatten("", &message, &mut values);
    }
    let index = reply.log_index.unwrap_or_default();
    if values.is_empty() {
        return format!("released nothing (log index {index})");
    }
    format!("released (log index {index})\n        {}", values.join("\n        "))
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
            let _ = write!(line, ", {key} {text}");
        }
    }
    if let Some(index) = refusal.log_index {
        let _ = write!(line, " (log index {index})");
    }
    line + ": " + refusal.status.message()
}

async fn audit(setting: &Setting, gateway: SocketAddr, out: &mut dyn Write) -> Result<(), Failure> {
    say(out, format_args!("\nWhat the auditor sees of the person with number 84631230189:"))?;
    let (client, token) = login(setting, gateway, "audit-leuven")?;
    let request =
        ListDisclosuresRequest { subject: "84631230189".to_owned(), ..ListDisclosuresRequest::default() };
    let found = log::ask(&client, &token, request, usize::MAX).await?;
    log::show(&found, Output::Table, out)
        .map_err(|error| Failure::unavailable(format_args!("standard output: {error}")))
}
