//! The wire of MAGDA against the platform's own test messages and schemas, where they lie beside the project:
//! `MAGDA_CASES` names their folder `cases`, with `xsd` beside it. Where it is not set, these tests say so.

#![allow(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::print_stderr,
    clippy::disallowed_methods,
    reason = "a test may fail loudly, say that it was skipped, and look where the official messages are"
)]

use std::collections::BTreeSet;
use std::fmt::Write as _;
use std::io::Write as _;
use std::path::PathBuf;
use std::process::Command;
use std::sync::Arc;

use bytes::Bytes;
use jiff::Timestamp;
use prost_reflect::{DynamicMessage, Kind, MessageDescriptor, SetFieldError, Value};
use quick_xml::escape::resolve_predefined_entity;
use quick_xml::events::{BytesStart, Event};
use quick_xml::{Reader, XmlVersion};
use sluis::domain::facts::Facts;
use sluis::domain::grant::Trie;
use sluis::domain::instrument::Upstream;
use sluis::domain::vocabulary::{Method, Vocabulary, rule};
use sluis::source::magda::{Envelope, Failure, Limits, Plan};
use sluis::source::{Retrieved, SourceError};
use uuid::Uuid;

const NARROW: &[&str] = &[
    "person.name.last_names",
    "person.name.first_names.name",
    "person.main_residence.street_name",
    "person.main_residence.house_number",
    "person.main_residence.postal_code",
];

fn method() -> Arc<Method> {
    let path = "/sluis.rijksregister.v1.PersonService/GetPerson";
    Vocabulary::embedded().unwrap().method(path).unwrap().clone()
}

fn plan(method: &Method, paths: &[&str]) -> Plan {
    Plan::compile(method, &Trie::compile(&method.output, paths).unwrap()).unwrap()
}

/// The folder of the official messages, or a word that there is none.
fn official() -> Option<PathBuf> {
    let folder = std::env::var("MAGDA_CASES").ok().map(PathBuf::from).filter(|folder| folder.is_dir());
    if folder.is_none() {
        // Past the test harness, which swallows what a passing test prints.
        let mut terminal = std::io::stderr();
        writeln!(terminal, "skipped: MAGDA_CASES names no folder of official messages").unwrap();
    }
    folder
}

/// Name and content of each official answer of GeefPersoon.
fn answers() -> Vec<(String, String)> {
    let Some(folder) = official() else { return Vec::new() };
    let folder = folder.join("Persoon/GeefPersoon/02.02.0000");
    let mut files: Vec<_> = folder.read_dir().unwrap().map(|entry| entry.unwrap().path()).collect();
    files.sort();
    assert!(files.len() > 30, "the official answers are there");
    let name = |file: &PathBuf| file.file_stem().unwrap().to_string_lossy().into_owned();
    files.iter().map(|file| (name(file), std::fs::read_to_string(file).unwrap())).collect()
}

/// The official files hold what stands in the envelope's body.
fn wrapped(content: &str) -> String {
    let content = content.split_once("?>").map_or(content, |(_, content)| content);
    format!(
        r#"<e:Envelope xmlns:e="http://schemas.xmlsoap.org/soap/envelope/"><e:Body>{content}</e:Body></e:Envelope>"#
    )
}

/// What came, in a form that a test may show and compare.
#[derive(Debug, PartialEq)]
struct Got {
    answer: Bytes,
    facts: Facts,
}

impl From<Retrieved> for Got {
    fn from(Retrieved { answer, facts }: Retrieved) -> Self {
        Self { answer, facts }
    }
}

fn read(plan: &Plan, content: &str, asked: &str) -> Result<Got, Failure> {
    plan.read(wrapped(content).as_bytes(), asked, &Limits::default()).map(Got::from)
}

/// A document in memory, to hold the streaming reader against.
#[derive(Default, Debug)]
struct Dom {
    name: String,
    attributes: Vec<(String, String)>,
    text: String,
    children: Vec<Dom>,
}

impl Dom {
    fn parse(xml: &str) -> Self {
        let mut reader = Reader::from_str(xml);
        let mut open = vec![Self::default()];
        loop {
            match reader.read_event().unwrap() {
                Event::Start(start) => open.push(Self::named(&start)),
                Event::Empty(start) => open.last_mut().unwrap().children.push(Self::named(&start)),
                Event::End(_) => {
                    let done = open.pop().unwrap();
                    open.last_mut().unwrap().children.push(done);
                }
                Event::Text(text) => open.last_mut().unwrap().text += &text,
                Event::GeneralRef(name) => {
                    let predefined = resolve_predefined_entity(&name).unwrap();
                    open.last_mut().unwrap().text += predefined;
                }
                Event::Eof => return open.pop().unwrap(),
                _ => {}
            }
        }
    }

    fn named(start: &BytesStart<'_>) -> Self {
        let attributes = start.attributes().map(Result::unwrap).map(|attribute| {
            let value = attribute.normalized_value(XmlVersion::Explicit1_0).unwrap();
            (attribute.key.as_ref().to_owned(), value.into_owned())
        });
        Self {
            name: start.local_name().as_ref().to_owned(),
            attributes: attributes.collect(),
            ..Self::default()
        }
    }

    fn all<'a>(&'a self, path: &[&str]) -> Vec<&'a Self> {
        match path {
            [] => vec![self],
            [first, rest @ ..] => self
                .children
                .iter()
                .filter(|child| child.name == *first)
                .flat_map(|child| child.all(rest))
                .collect(),
        }
    }

    /// The message that this element should come to, of what the paths open.
    fn expected(&self, message: &MessageDescriptor, at: &str, granted: &[&str]) -> DynamicMessage {
        let mut expected = DynamicMessage::new(message.clone());
        for field in message.fields() {
            let path = format!("{at}{}", field.name());
            let whole = granted.iter().any(|grant| path == **grant || path.starts_with(&format!("{grant}.")));
            let part = granted.iter().any(|grant| grant.starts_with(&format!("{path}.")));
            let Some(xml) = rule(&field).xml.filter(|_| whole || part) else { continue };
            let mut steps: Vec<_> = xml.split('/').filter(|step| *step != ".").collect();
            let attribute = steps.pop_if(|step| step.starts_with('@'));
            let mut values = Vec::new();
            for element in self.all(&steps) {
                if let Kind::Message(inner) = field.kind() {
                    let nested = element.expected(&inner, &format!("{path}."), granted);
                    if whole || nested != DynamicMessage::new(inner) {
                        values.push(Value::Message(nested));
                    }
                    continue;
                }
                let text = match attribute {
                    None => Some(element.text.trim()),
                    Some(name) => element
                        .attributes
                        .iter()
                        .find(|(key, _)| key == &name[1..])
                        .map(|(_, value)| value.as_str()),
                };
                let Some(text) = text else { continue };
                values.push(match field.kind() {
                    Kind::Bool => Value::Bool(text == "1"),
                    _ => Value::String(text.to_owned()),
                });
            }
            let set: Result<(), SetFieldError> = match field.is_list() {
                true if values.is_empty() => Ok(()),
                true => expected.try_set_field(&field, Value::List(values)),
                false => {
                    assert!(values.len() < 2, "{path} stands once");
                    values.pop().map_or(Ok(()), |value| expected.try_set_field(&field, value))
                }
            };
            set.unwrap();
        }
        expected
    }

    fn content(&self) -> Option<&Self> {
        let path = ["GeefPersoonResponse", "Repliek", "Antwoorden", "Antwoord", "Inhoud"];
        self.all(&path).first().copied()
    }
}

#[test]
fn official_answers_come_to_what_their_documents_say() {
    let method = method();
    for granted in [NARROW, &["person"]] {
        let plan = plan(&method, granted);
        for (name, xml) in answers() {
            let retrieved = read(&plan, &xml, &name).unwrap_or_else(|error| panic!("{name}: {error:?}"));
            let dom = Dom::parse(&xml);
            let Some(content) = dom.content() else {
                assert!(!retrieved.facts.found && retrieved.answer.is_empty(), "{name}");
                continue;
            };
            let answer = DynamicMessage::decode(method.output.clone(), retrieved.answer.clone()).unwrap();
            assert_eq!(answer, content.expected(&method.output, "", granted), "{name}");
            assert!(answer.unknown_fields().next().is_none(), "{name}");
            assert!(!retrieved.answer.is_empty(), "{name}: everybody has a name");
        }
    }
}

#[test]
fn official_answers_tell_their_facts() {
    let plan = plan(&method(), &["person.name.last_names"]);
    for (name, xml) in answers() {
        let facts = read(&plan, &xml, &name).unwrap().facts;
        let dom = Dom::parse(&xml);
        let number = dom.content().map(|content| content.all(&["Persoon", "INSZ"])[0].text.trim().to_owned());
        assert_eq!(facts.found, name != "notfound");
        assert_eq!(facts.returned.as_deref(), number.as_deref(), "{name}");
        assert!(!facts.protected_address && facts.replacement.is_none(), "{name}");
        // One official answer speaks of somebody else without a word, and is refused for it later.
        assert_eq!(number.is_some_and(|number| number != name), name == "10630345934", "{name}");
    }
}

/// The text between two tags of the same name, leaf by leaf, and every attribute value, replaced by what nothing else
/// holds. Flags stay, for they can be nothing else.
fn canaries(element: &Dom, count: &mut usize, out: &mut String) {
    let mut canary = |text: &str| {
        *count += 1;
        if matches!(text, "0" | "1") { text.to_owned() } else { format!("canary{count:05}x") }
    };
    write!(out, "<{}", element.name).unwrap();
    for (name, value) in element.attributes.iter().filter(|(name, _)| !name.starts_with("xmlns")) {
        write!(out, " {name}=\"{}\"", canary(value)).unwrap();
    }
    out.push('>');
    if element.children.is_empty() && !element.text.is_empty() {
        out.push_str(&canary(&element.text));
    }
    element.children.iter().for_each(|child| canaries(child, count, out));
    write!(out, "</{}>", element.name).unwrap();
}

#[test]
fn of_all_values_only_the_granted_ones_come_out() {
    let method = method();
    for granted in [NARROW, &["person.household_members.name"], &["person.identity_cards", "person.birth"]] {
        let plan = plan(&method, granted);
        let mut seen = 0;
        for (name, xml) in answers() {
            let dom = Dom::parse(&xml);
            let Some(content) = dom.content() else { continue };
            let (mut count, mut content_xml) = (0, String::new());
            canaries(content, &mut count, &mut content_xml);
            let namespace = &method.magda.as_ref().unwrap().namespace;
            let planted = format!(
                "<q:GeefPersoonResponse xmlns:q='{namespace}'><Repliek><Antwoorden><Antwoord>{content_xml}\
                 </Antwoord></Antwoorden></Repliek></q:GeefPersoonResponse>"
            );
            let retrieved = read(&plan, &planted, &name).unwrap();
            let expected = Dom::parse(&planted).content().unwrap().expected(&method.output, "", granted);
            let birds = |text: &str| -> BTreeSet<String> {
                let found = text.match_indices("canary").filter(|(at, _)| text.is_char_boundary(at + 12));
                found.map(|(at, _)| text[at..at + 12].to_owned()).collect()
            };
            let flown = birds(&String::from_utf8_lossy(&retrieved.answer));
            assert_eq!(flown, birds(&expected.to_string()), "{name}");
            assert!(flown.len() < birds(&planted).len() / 2, "{name}: most of them stay in");
            seen += flown.len();
        }
        assert!(seen > 0 || official().is_none(), "no canary at all for {granted:?}");
    }
}

#[test]
fn official_faults_and_throttles_are_told_apart() {
    let Some(folder) = official() else { return };
    let method = method();
    let namespace = &method.magda.as_ref().unwrap().namespace;
    let plan = plan(&method, &["person"]);
    let fault = std::fs::read_to_string(folder.join("generic_fault.xml")).unwrap();
    let failure = read(&plan, &fault, "").unwrap_err();
    assert_eq!(failure, Failure::from(SourceError::Unavailable));
    for (file, error, code) in [
        ("SocZek/GeefLeefloonbedragen/02.00.0000/91610100176.xml", SourceError::Throttled, "99995"),
        ("Kadaster/ZoekEigendomstoestanden/02.00.0000/91610100176.xml", SourceError::Down, "99996"),
    ] {
        // Another service's exceptions, under the name of the one that was asked.
        let xml = std::fs::read_to_string(folder.join(file)).unwrap();
        let body = xml.split_once("<Repliek>").unwrap().1.rsplit_once("</Repliek>").unwrap().0;
        let xml = format!(
            "<q:GeefPersoonResponse xmlns:q='{namespace}'><Repliek>{body}</Repliek></q:GeefPersoonResponse>"
        );
        let failure = read(&plan, &xml, "").unwrap_err();
        assert_eq!((failure.error, failure.code.as_deref()), (error, Some(code)), "{file}");
    }
}

fn question(language: Option<i32>, capacity: Option<&str>) -> String {
    let method = method();
    let mut request = DynamicMessage::new(method.input.clone());
    request.set_field_by_name("insz", Value::String("85673003360".into()));
    if let Some(language) = language {
        request.set_field_by_name("language", Value::EnumNumber(language));
    }
    let upstream = Upstream {
        magda_identification: Some("gent.be/ovo002949/ipdc181-aa&<aip>".into()),
        magda_quality_code: capacity.map(Into::into),
    };
    let at: Timestamp = "2026-06-30T22:30:05.5Z".parse().unwrap();
    let reference = Uuid::from_u128(0x0196_0000_0000_7000_8000_0000_0000_0001);
    let request = prost::Message::encode_to_vec(&request);
    let answer = Trie::compile(&method.output, &["person"]).unwrap();
    let question = Envelope::write(&method, &request, &answer, &upstream, reference, at).unwrap();
    assert_eq!(&*question.path, "/GeefPersoonDienst-02.02/soap/WebService");
    assert_eq!(&*question.asked, "85673003360");
    String::from_utf8(question.body.to_vec()).unwrap()
}

#[test]
fn the_question_says_who_asks_what_when() {
    let dom = Dom::parse(&question(Some(2), Some("1300")));
    let text = |path: &str| {
        let path: Vec<_> = "Envelope/Body/GeefPersoon/Verzoek".split('/').chain(path.split('/')).collect();
        dom.all(&path).iter().map(|element| element.text.clone()).collect::<Vec<_>>().join("|")
    };
    let reference = "01960000-0000-7000-8000-000000000001";
    for (path, expected) in [
        ("Context/Naam", "GeefPersoon"),
        ("Context/Versie", "02.02.0000"),
        ("Context/Bericht/Type", "VRAAG"),
        ("Context/Bericht/Tijdstip/Datum", "2026-07-01"), // Brussels is two hours ahead in summer
        ("Context/Bericht/Tijdstip/Tijd", "00:30:05.500"),
        ("Context/Bericht/Afzender/Referte", reference),
        ("Context/Bericht/Afzender/Hoedanigheid", "1300"),
        ("Vragen/Vraag/Referte", reference),
        ("Vragen/Vraag/Inhoud/Criteria/INSZ", "85673003360"),
        ("Vragen/Vraag/Inhoud/Bron", "RR"),
        ("Vragen/Vraag/Inhoud/Taal", "fr"),
    ] {
        assert_eq!(text(path), expected, "{path}");
    }
    assert!(question(None, None).contains("<Taal>nl</Taal>"), "Dutch where none is given");
    assert!(question(None, None).contains("ipdc181-aa&amp;&lt;aip&gt;</Identificatie>"));
}

#[test]
fn the_question_fits_the_official_schema() {
    let Some(folder) = official() else { return };
    let schema = folder.join("../xsd/GeefPersoonDienst-02.02/WebService/GeefPersoon.xsd");
    if !schema.is_file() {
        // Past the test harness, which swallows what a passing test prints.
        let mut terminal = std::io::stderr();
        writeln!(terminal, "skipped: no official schema beside the official messages").unwrap();
        return;
    }
    let validates = |body: &str| {
        let file = std::env::temp_dir().join(format!("sluis-question-{}.xml", std::process::id()));
        std::fs::write(&file, body).unwrap();
        let judged = Command::new("xmllint").arg("--noout").arg("--schema").arg(&schema).arg(&file).output();
        let judged = judged.expect("xmllint, of Debian's libxml2-utils");
        std::fs::remove_file(&file).unwrap();
        (judged.status.success(), String::from_utf8_lossy(&judged.stderr).into_owned())
    };
    for (language, capacity) in [(None, None), (Some(1), Some("1300")), (Some(4), None)] {
        let envelope = question(language, capacity);
        let body = envelope.split_once("<soapenv:Body>").unwrap().1.split_once("</soapenv:Body>").unwrap().0;
        let (valid, why) = validates(body);
        assert!(valid, "{why}");
        assert!(!validates(&body.replace("<Bron>RR</Bron>", "")).0, "the schema is really held against it");
    }
}
