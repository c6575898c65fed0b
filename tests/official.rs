//! The platform's own test messages through wire and gateway: what a purpose opens of each comes out, and nothing
//! else; and the questions that arrive at the source fit the official schema.
//! `MAGDA_CASES` names the folder of the messages. Where it is not set, these tests say so.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    clippy::print_stderr,
    reason = "a test may fail loudly, and say that it skips"
)]

mod support;

use std::io::Write as _;
use std::path::Path;
use std::process::Command;

use http::HeaderMap;
use prost::Message as _;
use prost_reflect::{DynamicMessage, Value};
use sluis::proto::audit::Kind;
use support::document::{Dom, official, official_answers, reply, values_of};
use support::source::{Heard, Saying};
use support::stage::{Stage, ask_as};
use support::{Ask, NOBODY, PERSON};

const PURPOSES: [&str; 2] = ["parking-offender", "attest"];

/// Answers about somebody else without a word.
const SOMEBODY_ELSE: &str = "10630345934";

#[tokio::test]
async fn of_each_official_answer_exactly_what_the_purpose_opens_is_released() {
    let answers = official_answers();
    let stage = Stage::start("official").await;
    let caller = stage.caller("stad-leuven").await;
    let output = stage.world.vocabulary.method(PERSON).unwrap().output.clone();
    for (name, xml) in &answers {
        stage.magda.say(Saying::soap(xml));
        let dom = Dom::parse(xml);
        for purpose in PURPOSES {
            let subject = if name == "notfound" { NOBODY } else { name };
            let whole = stage.ask(&caller, &Ask { subject, purpose, ..Ask::default() }).await;
            if name == SOMEBODY_ELSE {
                assert_eq!(whole.outcome(), "SOURCE_ANSWER_INVALID", "{name} {purpose}");
                let entry = stage.world.entry(whole.log_index()).await;
                assert_eq!((entry.kind, &*entry.subject_asked), (Kind::Refused as i32, SOMEBODY_ELSE));
                assert!(entry.fields_released.is_empty());
                continue;
            }
            assert_eq!(whole.outcome(), "RELEASED", "{name} {purpose}");
            let message = whole.message();
            let Some(person) = dom.first("Persoon") else {
                assert!(name == "notfound" && message.is_empty(), "{name}");
                continue;
            };
            let answer = DynamicMessage::decode(output.clone(), message.clone()).unwrap();
            assert_eq!(values_of(&answer), person.granted(purpose), "{name} {purpose}");
            assert_eq!(answer.encode_to_vec(), message, "{name} {purpose}: nothing stands beside the values");
            assert!(!message.is_empty(), "{name}: everybody has a name");
        }
    }
    assert_eq!(stage.magda.heard().len(), answers.len() * PURPOSES.len());
}

#[tokio::test]
async fn official_faults_and_exceptions_are_told_apart() {
    let Some(folder) = official() else { return };
    let stage = Stage::start("official-faults").await;
    let caller = stage.caller("stad-leuven").await;
    let read = |file: &str| std::fs::read_to_string(folder.join(file)).unwrap();
    // Another service's exceptions, under the name of the one that was asked.
    let other = |file: &str| {
        let text = read(file);
        reply(text.split_once("<Repliek>").unwrap().1.rsplit_once("</Repliek>").unwrap().0)
    };
    for (xml, outcome) in [
        (read("generic_fault.xml"), "SOURCE_UNAVAILABLE"),
        (other("SocZek/GeefLeefloonbedragen/02.00.0000/91610100176.xml"), "SOURCE_THROTTLED"),
        (other("Kadaster/ZoekEigendomstoestanden/02.00.0000/91610100176.xml"), "SOURCE_UNAVAILABLE"),
    ] {
        stage.magda.say(Saying::soap(&xml));
        let whole = stage.ask(&caller, &Ask::default()).await;
        assert_eq!(whole.outcome(), outcome, "{xml}");
        let entry = stage.world.entry(whole.log_index()).await;
        assert_eq!((entry.kind, &*entry.outcome), (Kind::Failed as i32, outcome));
    }
}

/// What the caller chooses, and no source may see.
const CHOSEN: &[(&str, &str)] = &[
    ("sluis-request-id", "chosen-request-id"),
    ("sluis-fields", "person.name.last_names"),
    ("traceparent", "00-c40533c40533c40533c40533c4053300-c40533c40533c405-01"),
    ("tracestate", "chosen=tracestate"),
    ("baggage", "chosen=baggage"),
    ("cookie", "chosen=cookie"),
    ("user-agent", "chosen-agent"),
    ("x-forwarded-for", "192.0.2.77"),
    ("x-chosen-bin", "Y2hvc2Vu"),
    ("x-magda-sender-id", "chosen-sender"),
    ("soapaction", "chosen-action"),
    ("referer", "chosen-referer"),
];

/// Words of the caller's that may stand nowhere in what arrives.
const TRACES: &[&str] = &[
    "chosen",
    "c40533",
    "192.0.2.77",
    "last_names",
    "PV-2026",
    "rr-leuven",
    "housing-sandbox",
    "parking-offender",
    "attest",
    "subsidy",
    "stad-leuven",
    "ocmw-leuven",
    "sluis",
    "Bearer",
    "0207521503",
    "0212165526",
];

fn names(headers: &HeaderMap) -> Vec<&str> {
    let mut names: Vec<_> = headers.iter().map(|(name, _)| name.as_str()).collect();
    names.sort_unstable();
    names
}

fn holds_nothing_of_the_caller(heard: &Heard) {
    let text = format!("{} {:?} {}", heard.path, heard.headers, String::from_utf8_lossy(&heard.body));
    for word in TRACES {
        let found = text.to_lowercase().contains(&word.to_lowercase());
        // The vocabulary's own package is the name of the method, on the wire of a partner that speaks it.
        assert!(!found, "{word} arrives at the source: {text}");
    }
}

#[tokio::test]
async fn what_arrives_at_magda_is_the_instruments_question_and_nothing_of_the_callers() {
    let stage = Stage::start("question").await;
    let caller = stage.caller("stad-leuven").await;
    stage.magda.say(Saying::text(503, ""));
    let mut entries = Vec::new();
    for (purpose, identification, language, taal) in [
        ("parking-offender", "leuven.be/ovo000000/ipdc001-aip", None, "nl"),
        ("attest", "leuven.be/ovo000000/ipdc002-aip", Some(2), "fr"),
        ("attest", "leuven.be/ovo000000/ipdc002-aip", Some(4), "en"),
    ] {
        let ask = Ask { purpose, more: CHOSEN, ..Ask::default() };
        let input = stage.world.vocabulary.method(PERSON).unwrap().input.clone();
        let mut question =
            DynamicMessage::decode(input, &stage.world.question(PERSON, ask.subject)[..]).unwrap();
        if let Some(language) = language {
            question.set_field_by_name("language", Value::EnumNumber(language));
        }
        let whole = ask_as(&stage.world.setting, &caller, &ask, &question.encode_to_vec()).await;
        assert_eq!(whole.outcome(), "SOURCE_UNAVAILABLE");
        let asked = stage.world.entry(whole.log_index()).await.asked.unwrap();
        entries.push(stage.world.entry(asked).await.entry_id);

        let heard = stage.magda.heard().pop().unwrap();
        assert_eq!(
            names(&heard.headers),
            ["content-length", "content-type", "host", "soapaction", "traceparent"]
        );
        assert_eq!(heard.headers["host"], stage.magda.address.to_string());
        assert_eq!(heard.path, "/GeefPersoonDienst-02.02/soap/WebService");
        holds_nothing_of_the_caller(&heard);
        let document = Dom::parse(std::str::from_utf8(&heard.body).unwrap());
        let at = |path: &str| document.values(&format!("Envelope/Body/GeefPersoon/Verzoek/{path}")).join("|");
        assert_eq!(at("Context/Bericht/Afzender/Identificatie"), identification);
        assert_eq!(at("Context/Bericht/Afzender/Hoedanigheid"), "");
        assert_eq!(at("Vragen/Vraag/Inhoud/Criteria/INSZ"), ask.subject);
        assert_eq!(at("Vragen/Vraag/Inhoud/Taal"), taal);
        // The entry of the question is its reference and its trace: the source's log can be laid beside ours.
        let reference = at("Vragen/Vraag/Referte");
        assert_eq!(entries.last(), Some(&reference));
        assert_eq!(at("Context/Bericht/Afzender/Referte"), reference);
        let trace = heard.headers["traceparent"].to_str().unwrap().split('-').nth(1).unwrap();
        assert_eq!(trace, reference.replace('-', ""));
        validate(&stage.world.folder.0, &heard.body);
    }
    entries.sort();
    entries.dedup();
    assert_eq!(entries.len(), 3, "each question has a reference of its own");
}

#[tokio::test]
async fn what_arrives_at_a_partner_is_the_message_alone() {
    let stage = Stage::start("partner").await;
    let caller = stage.caller("ocmw-leuven").await;
    stage.housing.say(Saying::message(b""));
    let more: Vec<_> = CHOSEN.iter().copied().filter(|(name, _)| *name != "sluis-fields").collect();
    let ask = Ask { more: &more, ..Ask::housing(NOBODY) };
    assert_eq!(stage.ask(&caller, &ask).await.outcome(), "RELEASED");
    let heard = stage.housing.heard().pop().unwrap();
    assert_eq!(names(&heard.headers), ["content-type", "grpc-timeout", "te", "traceparent"]);
    assert_eq!(heard.path, ask.method);
    assert_eq!(heard.body.slice(5..), stage.world.question(ask.method, NOBODY));
    holds_nothing_of_the_caller(&heard);
}

#[tokio::test]
async fn a_request_arrives_in_one_form_whatever_the_form_it_was_sent_in() {
    let stage = Stage::start("canonical").await;
    let caller = stage.caller("ocmw-leuven").await;
    stage.housing.say(Saying::message(b""));
    let plain = stage.world.question(support::HOUSING, NOBODY);
    let other = stage.world.question(support::HOUSING, support::PIETER);
    // The last of two numbers counts, and is the one in the log: the source is shown no other. Nor is it shown
    // lengths and defaults that say nothing in a way that could say something.
    let padded = [&[0x0a, 0x8b, 0x00], &plain[2..], &[0x12, 0x00]].concat();
    for sent in [[&other[..], &plain].concat(), padded] {
        let whole = ask_as(&stage.world.setting, &caller, &Ask::housing(NOBODY), &sent).await;
        assert_eq!(whole.outcome(), "RELEASED");
        assert_eq!(stage.world.entry(whole.log_index()).await.subject_asked, NOBODY);
        assert_eq!(stage.housing.heard().pop().unwrap().body.slice(5..), plain);
    }
}

/// Holds the question against the official schema, where that is there.
fn validate(folder: &Path, envelope: &[u8]) {
    let Some(cases) = official() else { return };
    let schema = cases.join("../xsd/GeefPersoonDienst-02.02/WebService/GeefPersoon.xsd");
    if !schema.is_file() {
        // Past the test harness, which swallows what a passing test prints.
        let mut terminal = std::io::stderr();
        writeln!(terminal, "skipped: no official schema beside the official messages").unwrap();
        return;
    }
    let envelope = std::str::from_utf8(envelope).unwrap();
    let body = envelope.split_once("<soapenv:Body>").unwrap().1.split_once("</soapenv:Body>").unwrap().0;
    let judge = |body: &str| {
        let file = folder.join("question.xml");
        std::fs::write(&file, body).unwrap();
        let judged = Command::new("xmllint").arg("--noout").arg("--schema").arg(&schema).arg(&file).output();
        judged.expect("xmllint, of Debian's libxml2-utils")
    };
    let judged = judge(body);
    assert!(judged.status.success(), "{}", String::from_utf8_lossy(&judged.stderr));
    assert!(
        !judge(&body.replace("<Bron>RR</Bron>", "")).status.success(),
        "the schema is really held against it"
    );
}
