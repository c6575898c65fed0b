//! Services of the Crossroads Bank, none of which has code of its own, through wire and gateway: the platform's own test
//! messages where they lie beside the project, and what the sources are asked.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    reason = "a test may fail loudly"
)]

mod support;

use std::path::Path;

use prost::Message as _;
use prost_reflect::DynamicMessage;
use sluis::cli::protocol;
use sluis::domain::catalogue::Catalogue;
use sluis::domain::vocabulary::Method;
use sluis::proto::audit::Kind;
use support::document::{Dom, official};
use support::reader::{expected, specimen};
use support::schema::validate;
use support::source::Saying;
use support::stage::{Stage, ask_as};
use support::{Ask, NOBODY, PIETER};

/// What is asked: method, instrument, purpose, and the request beside the number.
struct Service {
    method: &'static str,
    protocol: &'static str,
    purpose: &'static str,
    request: &'static str,
}

const INQUIRY: Service =
    Service { method: "", protocol: "ksz-inquiry-leuven", purpose: "social-inquiry", request: "" };

const SERVICES: &[Service] = &[
    Service {
        method: "/sluis.ksz.v1.SocialStatusService/GetSocialStatuses",
        protocol: "ksz-gss-leuven",
        purpose: "automatic-grant",
        request: "statuses: {name: 'BIM_BVT' date: '2026-01-01'} statuses: {name: 'OTHER' date: '2026-01-01'}",
    },
    Service {
        method: "/sluis.ksz.v1.LivingWageService/GetLivingWageAmounts",
        request: "year: 2023 current: false years_back: 2",
        ..INQUIRY
    },
    Service {
        method: "/sluis.ksz.v1.LivingWageService/GetLivingWagePeriods",
        request: "begin: '2023-01-01'",
        ..INQUIRY
    },
    Service {
        method: "/sluis.ksz.v1.DisabilityService/GetDisabilityFile",
        request: "reference_date: '2026-01-01'",
        ..INQUIRY
    },
    Service {
        method: "/sluis.ksz.v1.PensionService/GetPensionRights",
        request: "begin: '2023-01-01' end: '2023-12-31' pillar: 1",
        ..INQUIRY
    },
    Service {
        method: "/sluis.ksz.v1.UnemploymentService/GetUnemploymentBenefits",
        request: "paid_sums: {begin: '2023-01' end: '2023-12' limited: false}",
        ..INQUIRY
    },
    Service {
        method: "/sluis.ksz.v1.IncapacityService/GetIncapacity",
        request: "year_quarter: '2023Q4'",
        ..INQUIRY
    },
    Service {
        method: "/sluis.ksz.v1.EmploymentService/GetEmploymentRelations",
        request: "begin: '2023-01-01'",
        ..INQUIRY
    },
    Service {
        method: "/sluis.ksz.v1.ChildBenefitService/GetChildBenefits",
        request: "begin: '2023-01'",
        ..INQUIRY
    },
];

impl Service {
    fn ask<'a>(&self, subject: &'a str) -> Ask<'a> {
        let Self { method, protocol, purpose, .. } = self;
        Ask { who: "ocmw-leuven", method, subject, protocol, purpose, ..Ask::default() }
    }

    fn message(&self, method: &Method, subject: &str) -> Vec<u8> {
        let text = format!("insz: '{subject}' {}", self.request);
        DynamicMessage::parse_text_format(method.input.clone(), &text).unwrap().encode_to_vec()
    }

    /// The fields that the instrument opens, as it lists them.
    fn granted(&self, stage: &Stage) -> Vec<String> {
        let files = protocol::load(&stage.world.config.protocols).unwrap();
        let catalogue = Catalogue::compile(&files, &stage.world.vocabulary);
        let instrument = catalogue.instruments().find(|one| *one.id == *self.protocol).unwrap();
        let paths = instrument.grant(self.purpose, self.method).unwrap().answer.paths();
        paths.iter().map(ToString::to_string).collect()
    }
}

/// Name and text of each official answer of a service.
fn answers(method: &Method) -> Vec<(String, String)> {
    let Some(folder) = official() else { return Vec::new() };
    let magda = method.magda.as_ref().unwrap();
    let Ok(files) = folder.join(format!("SocZek/{}/{}", magda.service, magda.version)).read_dir() else {
        return Vec::new();
    };
    let mut files: Vec<_> = files.map(|file| file.unwrap().path()).collect();
    files.sort();
    let read = |file: &Path| std::fs::read_to_string(file).unwrap();
    files.iter().map(|file| (file.file_stem().unwrap().to_string_lossy().into_owned(), read(file))).collect()
}

/// How an official answer ends that is not released, where the platform plays a trouble.
fn trouble(service: &str, name: &str) -> Option<&'static str> {
    match (service, name) {
        ("GeefLeefloonbedragen", "91610100176") => Some("SOURCE_THROTTLED"),
        ("GeefLeefloonbedragen", "96622497873") => Some("SOURCE_UNAVAILABLE"),
        _ => None,
    }
}

/// What stands in place of a number in an official template.
const NO_NUMBER: &str = "00000000000";

#[tokio::test]
async fn of_each_official_answer_exactly_what_the_instrument_opens_is_released() {
    let stage = Stage::start("services").await;
    let caller = stage.caller("ocmw-leuven").await;
    let (mut released, mut told) = (0, 0);
    for service in SERVICES {
        let method = stage.world.vocabulary.method(service.method).unwrap().clone();
        let granted = service.granted(&stage);
        let granted: Vec<_> = granted.iter().map(String::as_str).collect();
        for (name, xml) in answers(&method) {
            let subject = if name == "notfound" { NOBODY } else { &name };
            stage.magda.say(Saying::soap(&xml.replace(NO_NUMBER, NOBODY)));
            let (ask, message) = (service.ask(subject), service.message(&method, subject));
            let whole = ask_as(&stage.world.setting, &caller, &ask, &message).await;
            let place = format!("{} {name}", service.method);
            if let Some(outcome) = trouble(&method.magda.as_ref().unwrap().service, &name) {
                assert_eq!(whole.outcome(), outcome, "{place}");
                let entry = stage.world.entry(whole.log_index()).await;
                assert_eq!((entry.kind, &*entry.outcome), (Kind::Failed as i32, outcome), "{place}");
                continue;
            }
            assert_eq!(whole.outcome(), "RELEASED", "{place}");
            released += 1;
            let dom = Dom::parse(&xml);
            // Where the Crossroads Bank says that it has no data, its content only repeats that.
            let found = dom.first("Inhoud").filter(|_| !xml.contains("<Omstandigheid>NO_DATA_FOUND<"));
            let expected = found.map(|content| expected(content, &method.output, "", &granted));
            let expected = expected.map(|message| message.encode_to_vec()).unwrap_or_default();
            assert_eq!(whole.message(), expected, "{place}");
            told += usize::from(!expected.is_empty());
        }
    }
    // 16 of statuses, 3 of 5 of amounts, 6 of files; of these, four say that there is nothing.
    let here = official().is_some();
    assert_eq!((released, told), if here { (25, 21) } else { (0, 0) });
}

#[tokio::test]
async fn an_answer_about_somebody_else_or_nobody_is_refused() {
    let stage = Stage::start("somebody-else").await;
    let caller = stage.caller("ocmw-leuven").await;
    for service in SERVICES {
        let method = stage.world.vocabulary.method(service.method).unwrap().clone();
        for (number, outcome) in [(PIETER, "RELEASED"), (NOBODY, "SOURCE_ANSWER_INVALID"), ("", "")] {
            stage.magda.say(Saying::soap(&about(&method, number)));
            let (ask, message) = (service.ask(PIETER), service.message(&method, PIETER));
            let whole = ask_as(&stage.world.setting, &caller, &ask, &message).await;
            // The schemas of some let an answer do without a number.
            let unnamed = if method.unnamed { "RELEASED" } else { "SOURCE_ANSWER_INVALID" };
            let outcome = if outcome.is_empty() { unnamed } else { outcome };
            assert_eq!(whole.outcome(), outcome, "{} about {number}", service.method);
            let entry = stage.world.entry(whole.log_index()).await;
            let returned = if outcome == "RELEASED" { number } else { "" };
            assert_eq!(
                (&*entry.subject_asked, &*entry.subject_returned),
                (PIETER, returned),
                "{}",
                service.method
            );
        }
    }
}

/// An answer that has everything, whose people have all this number.
fn about(method: &Method, number: &str) -> String {
    let content = specimen(&method.output, &mut |_, field| {
        let rule = sluis::domain::vocabulary::rule(field);
        if rule.subject || rule.party { number.to_owned() } else { plain(field) }
    });
    reply(method, &content)
}

/// Any text that a field may hold.
fn plain(field: &prost_reflect::FieldDescriptor) -> String {
    use sluis::domain::vocabulary::{Fact, rule, xml_value};
    match (rule(field).fact, field.kind()) {
        (Some(Fact::Status), _) => "DATA_FOUND".into(),
        (Some(Fact::StatusCode), _) => "MSG00000".into(),
        (_, prost_reflect::Kind::String) => "x".into(),
        (_, prost_reflect::Kind::Enum(list)) => list.values().find_map(|code| xml_value(&code)).unwrap().into(),
        _ => "1".into(),
    }
}

fn reply(method: &Method, content: &Dom) -> String {
    let magda = method.magda.as_ref().unwrap();
    format!(
        "<q:{0}Response xmlns:q='{1}'><Repliek><Antwoorden><Antwoord>{2}</Antwoord></Antwoorden></Repliek></q:{0}Response>",
        magda.service,
        magda.namespace,
        content.write()
    )
}

#[tokio::test]
async fn the_troubles_of_the_crossroads_bank_end_as_elsewhere() {
    let stage = Stage::start("ksz-troubles").await;
    let caller = stage.caller("ocmw-leuven").await;
    for service in SERVICES {
        let method = stage.world.vocabulary.method(service.method).unwrap().clone();
        let Some((name, namespace)) = method.magda.as_ref().map(|magda| (&magda.service, &magda.namespace))
        else {
            continue;
        };
        for (code, kind, circumstance, status, outcome) in [
            ("70002", "FOUT", "NO_RESULT", "MSG00012", "SUBJECT_NOT_REGISTERED"),
            ("40003", "FOUT", "", "", "SUBJECT_NOT_REGISTERED"),
            ("70002", "FOUT", "NO_RESULT", "MSG00013", "SOURCE_REFUSED"),
            ("70003", "FOUT", "", "", "SOURCE_UNAVAILABLE"),
            ("70001", "WAARSCHUWING", "NO_DATA_FOUND", "MSG00100", "RELEASED"),
            ("30001", "FOUT", "", "", "RELEASED"),
        ] {
            let xml = format!(
                "<q:{name}Response xmlns:q='{namespace}'><Repliek><Antwoorden><Antwoord><Uitzonderingen><Uitzondering>\
                 <Identificatie>{code}</Identificatie><Type>{kind}</Type><Omstandigheid>{circumstance}</Omstandigheid>\
                 <Annotaties><Annotatie><Naam>status code</Naam><Waarde>{status}</Waarde></Annotatie></Annotaties>\
                 </Uitzondering></Uitzonderingen></Antwoord></Antwoorden></Repliek></q:{name}Response>"
            );
            stage.magda.say(Saying::soap(&xml));
            let (ask, message) = (service.ask(PIETER), service.message(&method, PIETER));
            let whole = ask_as(&stage.world.setting, &caller, &ask, &message).await;
            assert_eq!(whole.outcome(), outcome, "{} {code} {status}", service.method);
            assert!(outcome != "RELEASED" || whole.message().is_empty());
        }
    }
}

#[tokio::test]
async fn questions_fit_the_official_schemas_and_ask_for_no_more_than_is_granted() {
    let stage = Stage::start("ksz-questions").await;
    let caller = stage.caller("ocmw-leuven").await;
    // A refusal says nothing against the source: it is asked again.
    stage.magda.say(Saying::text(404, ""));
    for service in SERVICES {
        let method = stage.world.vocabulary.method(service.method).unwrap().clone();
        let ask = service.ask(PIETER);
        ask_as(&stage.world.setting, &caller, &ask, &service.message(&method, PIETER)).await;
        let heard = stage.magda.heard().pop().unwrap();
        assert_eq!(heard.path, method.magda.as_ref().unwrap().path);
        let body = String::from_utf8(heard.body.to_vec()).unwrap();
        validate(&stage.world.folder.0, &method, &body, PIETER);
        let quality = if service.purpose == "social-inquiry" {
            "<Hoedanigheid>1</Hoedanigheid>"
        } else {
            "</Referte></Afzender>"
        };
        assert!(body.contains(quality), "{body}");
    }
    let files = SERVICES.iter().find(|service| service.method.ends_with("GetDisabilityFile")).unwrap();
    let method = stage.world.vocabulary.method(files.method).unwrap().clone();
    let flags =
        ["DGPH", "VSB", "IrisCare", "evolutionOfRequest", "handicapRecognitions", "rights", "socialCards"];
    for (fields, asked) in [
        ("", &["DGPH", "VSB", "evolutionOfRequest", "handicapRecognitions", "rights"][..]),
        ("file.results.vsb.file.rights.begin", &["VSB", "rights"]),
        ("file.results.dgph.status.value", &["DGPH"]),
    ] {
        let less = [("sluis-fields", fields)];
        let ask = Ask { more: if fields.is_empty() { &[] } else { &less }, ..files.ask(PIETER) };
        ask_as(&stage.world.setting, &caller, &ask, &files.message(&method, PIETER)).await;
        let body = String::from_utf8(stage.magda.heard().pop().unwrap().body.to_vec()).unwrap();
        for flag in flags {
            assert!(
                body.contains(&format!("<{flag}>{}</{flag}>", asked.contains(&flag))),
                "{fields}: {flag} in {body}"
            );
        }
        validate(&stage.world.folder.0, &method, &body, PIETER);
    }
}

#[tokio::test]
async fn what_a_service_needs_is_asked_of_the_caller() {
    let stage = Stage::start("ksz-needs").await;
    let caller = stage.caller("ocmw-leuven").await;
    for (method, request) in [
        ("GetSocialStatuses", ""),
        ("GetSocialStatuses", "statuses: {name: 'BIM_BVT'}"),
        ("GetLivingWageAmounts", "current: true"),
        ("GetDisabilityFile", ""),
        ("GetDisabilityFile", "reference_date: 'today'"),
        ("GetLivingWageAmounts", "year: 25"),
        ("GetUnemploymentBenefits", ""),
        ("GetUnemploymentBenefits", "paid_sums: {begin: '2023-01'}"),
    ] {
        let known = SERVICES.iter().find(|service| service.method.ends_with(method)).unwrap();
        let service = Service { request, ..*known };
        let message = service.message(stage.world.vocabulary.method(service.method).unwrap(), PIETER);
        let whole = ask_as(&stage.world.setting, &caller, &service.ask(PIETER), &message).await;
        assert_eq!(whole.outcome(), "REQUEST_MALFORMED", "{method} {request}");
    }
    assert!(stage.magda.heard().is_empty());
}
