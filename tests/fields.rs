//! Every field of every service over MAGDA, read by the wire and by an independent reader: an answer that has everything,
//! of which each part is granted in turn, and the platform's own answers where they lie beside the project.

#![allow(clippy::unwrap_used, clippy::indexing_slicing, clippy::panic, reason = "a test may fail loudly")]

mod support;

use std::sync::Arc;

use jiff::Timestamp;
use prost::Message as _;
use prost_reflect::{DynamicMessage, FieldDescriptor, Kind, MessageDescriptor};
use sluis::domain::grant::Trie;
use sluis::domain::instrument::Upstream;
use sluis::domain::vocabulary::{Fact, Method, Vocabulary, rule, xml_value};
use sluis::source::magda::{Envelope, Limits, Plan};
use support::document::{Dom, official};
use support::reader::{expected, specimen};
use support::schema::validate;
use support::{Folder, PIETER};
use uuid::Uuid;

fn methods() -> Vec<Arc<Method>> {
    let vocabulary = Vocabulary::embedded().unwrap();
    vocabulary.methods().filter(|method| method.magda.is_some()).cloned().collect()
}

/// An envelope around a content, as it comes for a method.
fn envelope(method: &Method, content: &str) -> String {
    let magda = method.magda.as_ref().unwrap();
    format!(
        "<e:Envelope xmlns:e='http://schemas.xmlsoap.org/soap/envelope/'><e:Body><q:{0}Response xmlns:q='{1}'><Repliek>\
         <Antwoorden><Antwoord>{content}</Antwoord></Antwoorden></Repliek></q:{0}Response></e:Body></e:Envelope>",
        magda.service, magda.namespace
    )
}

/// What the wire makes of it, and what the independent reader does.
fn both(method: &Method, content: &Dom, granted: &[&str], asked: &str) -> (Vec<u8>, Vec<u8>) {
    let plan = Plan::compile(method, &Trie::compile(&method.output, granted).unwrap()).unwrap();
    let xml = envelope(method, &content.write());
    let read = plan.read(xml.as_bytes(), asked, &Limits::default());
    let read = read.unwrap_or_else(|failure| panic!("{}: {failure:?} for {granted:?}", method.name));
    (read.answer.to_vec(), expected(content, &method.output, "", granted).encode_to_vec())
}

/// Paths of all values below a message.
fn leaves(message: &MessageDescriptor, at: &str, out: &mut Vec<String>) {
    for field in message.fields() {
        let path = format!("{at}{}", field.name());
        match field.kind() {
            Kind::Message(inner) => leaves(&inner, &format!("{path}."), out),
            _ => out.push(path),
        }
    }
}

/// A text that tells this value from all others, as far as its type lets it.
fn telling(field: &FieldDescriptor, nth: usize) -> String {
    let rule = rule(field);
    match (rule.fact, field.kind()) {
        (Some(Fact::Status), _) => "DATA_FOUND".into(),
        (Some(Fact::StatusCode), _) => "MSG00000".into(),
        (Some(Fact::ProtectedAddressUntil), _) => "2035-12-31".into(),
        _ if rule.subject || rule.party => PIETER.into(),
        (_, Kind::String) => format!("value {nth} <&>"),
        (_, Kind::Bool) => ["0", "1", "false", "true"][nth % 4].into(),
        (_, Kind::Enum(list)) => {
            let codes: Vec<_> = list.values().filter_map(|code| xml_value(&code)).collect();
            codes[nth % codes.len()].to_string()
        }
        _ => (nth % 90).to_string(),
    }
}

#[test]
fn of_an_answer_that_has_everything_each_part_is_read_as_an_independent_reader_reads_it() {
    for method in methods() {
        let mut nth = 0;
        let content = specimen(&method.output, &mut |_, field| {
            nth += 1;
            telling(field, nth)
        });
        let whole: Vec<_> = method.output.fields().map(|field| field.name().to_owned()).collect();
        let whole: Vec<_> = whole.iter().map(String::as_str).collect();
        let (read, expected) = both(&method, &content, &whole, PIETER);
        assert_eq!(read, expected, "{}", method.name);
        assert!(read.len() > nth, "{}: {nth} values", method.name);
        let mut all = Vec::new();
        leaves(&method.output, "", &mut all);
        assert!(all.len() > 5, "{}", method.name);
        for part in all.chunks(7) {
            let part: Vec<_> = part.iter().map(String::as_str).collect();
            let (read, expected) = both(&method, &content, &part, PIETER);
            assert_eq!(read, expected, "{} {part:?}", method.name);
            assert!(!read.is_empty(), "{} {part:?}", method.name);
        }
        let (read, _) = both(&method, &content, &[], PIETER);
        assert!(read.is_empty(), "{}", method.name);
    }
}

#[test]
fn official_answers_are_read_whole_as_an_independent_reader_reads_them() {
    let Some(cases) = official() else { return };
    let mut seen = 0;
    for method in methods().iter().filter(|method| &*method.source == "ksz") {
        let magda = method.magda.as_ref().unwrap();
        let Ok(files) = cases.join(format!("SocZek/{}/{}", magda.service, magda.version)).read_dir() else {
            continue;
        };
        for file in files {
            let file = file.unwrap().path();
            let name = file.file_stem().unwrap().to_string_lossy().into_owned();
            let dom = Dom::parse(&std::fs::read_to_string(&file).unwrap());
            let whole: Vec<_> = method.output.fields().map(|field| field.name().to_owned()).collect();
            let whole: Vec<_> = whole.iter().map(String::as_str).collect();
            let Some(content) = dom.first("Inhoud").filter(|_| name != "notfound") else { continue };
            let (read, expected) = both(method, content, &whole, &name);
            assert_eq!(read, expected, "{}", file.display());
            // By the other choice that its service gives, an answer says nothing.
            seen += usize::from(!read.is_empty());
        }
    }
    assert_eq!(seen, 13 + 2 + 5);
}

/// A question for each choice that a service leaves, so that all that may be asked has been held against its schema.
#[test]
fn each_way_to_ask_fits_the_official_schema() {
    let folder = Folder::new("ways-to-ask");
    let vocabulary = Vocabulary::embedded().unwrap();
    for (method, request) in [
        ("SocialStatusService.GetSocialStatuses", "statuses: {name: 'A' date: '2026-01-01'}"),
        (
            "SocialStatusService.GetSocialStatuses",
            "statuses: {name: 'A' period: {begin: '2026-01-01' end: '2026-02-01'} location: {name: 'Leuven'}}
             statuses: {name: 'B' date: '2026-01-01' location: {postal_codes: {codes: ['3000', '3001']}}
                        age: {minimum: 18 maximum: 65} parameters: {name: 'x' value: 'y'}}",
        ),
        ("LivingWageService.GetLivingWageAmounts", "year: 2025"),
        ("LivingWageService.GetLivingWageAmounts", "year: 2025 current: true years_back: 3"),
        ("DisabilityService.GetDisabilityFile", "reference_date: '2026-01-01'"),
        ("DisabilityService.GetDisabilityFileByPeriod", "begin: '2025-01-01' end: '2026-01-01'"),
    ] {
        let method = vocabulary.method_by_name(&format!("sluis.ksz.v1.{method}")).unwrap();
        let text = format!("insz: '{PIETER}' {request}");
        let request = DynamicMessage::parse_text_format(method.input.clone(), &text).unwrap().encode_to_vec();
        let upstream = Upstream { magda_identification: Some("a".into()), magda_quality_code: None };
        let whole: Vec<_> = method.output.fields().map(|field| field.name().to_owned()).collect();
        for granted in [&whole[..], &[]] {
            let answer = Trie::compile(&method.output, granted).unwrap();
            let at = Timestamp::UNIX_EPOCH;
            let envelope = Envelope::write(method, &request, &answer, &upstream, Uuid::nil(), at).unwrap();
            validate(&folder.0, method, std::str::from_utf8(&envelope.body).unwrap(), PIETER);
        }
    }
}
