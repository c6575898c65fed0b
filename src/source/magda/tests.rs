//! Answers that no platform should send, and the ones that it does, on people who do not exist.

#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "a test may fail loudly")]

use std::fmt::Write as _;
use std::sync::{Arc, LazyLock};

use bytes::Bytes;
use proptest::prelude::*;
use prost_reflect::DynamicMessage;

use super::{Failure, Limits, Plan, PlanError};
use crate::domain::facts::Facts;
use crate::domain::grant::Trie;
use crate::domain::vocabulary::{Method, Vocabulary};
use crate::source::{Retrieved, SourceError};

const ASKED: &str = "85673003360";

static METHOD: LazyLock<Arc<Method>> = LazyLock::new(|| {
    let path = "/sluis.rijksregister.v1.PersonService/GetPerson";
    Vocabulary::embedded().unwrap().method(path).unwrap().clone()
});

fn plan(paths: &[&str]) -> Plan {
    Plan::compile(&METHOD, &Trie::compile(&METHOD.output, paths).unwrap()).unwrap()
}

static NARROW: LazyLock<Plan> = LazyLock::new(|| {
    plan(&["person.name.last_names", "person.name.first_names", "person.main_residence.postal_code"])
});

fn reply(repliek: &str) -> String {
    format!(
        r#"<?xml version="1.0" encoding="UTF-8"?>
<S:Envelope xmlns:S="http://schemas.xmlsoap.org/soap/envelope/"><S:Header/><S:Body>
<web:GeefPersoonResponse xmlns:web="http://magda.vlaanderen.be/persoon/soap/geefpersoon/v02_02">
<Repliek><Context><Naam>GeefPersoon</Naam></Context>{repliek}</Repliek>
</web:GeefPersoonResponse></S:Body></S:Envelope>"#
    )
}

fn answered(inside: &str) -> String {
    reply(&format!("<Antwoorden><Antwoord><Referte>1</Referte>{inside}</Antwoord></Antwoorden>"))
}

fn person(inside: &str) -> String {
    answered(&format!("<Inhoud><Persoon>{inside}</Persoon></Inhoud>"))
}

fn exception(code: &str, kind: &str, rest: &str) -> String {
    format!(
        "<Uitzonderingen><Uitzondering><Identificatie>{code}</Identificatie><Oorsprong>MAGDA</Oorsprong>\
         <Type>{kind}</Type><Diagnose>about Janssens</Diagnose>{rest}</Uitzondering></Uitzonderingen>"
    )
}

const WHOLE: &str = r#"<INSZ>85673003360</INSZ>
<Naam DatumBegin="1985-07-30"><Achternamen><Achternaam> Peeters </Achternaam><Achternaam>O&apos;Neil &#x26; Zn</Achternaam></Achternamen>
<Voornamen><Voornaam GebruikelijkeVoornaam="1">Zoë</Voornaam><Voornaam><![CDATA[<An>]]></Voornaam></Voornamen></Naam>
<Adressen><Hoofdverblijfplaats><Huisnummer>5</Huisnummer><Postcode>2000</Postcode></Hoofdverblijfplaats>
<NietMededeelbaarAdres><Periode><Begindatum>2020-01-01</Begindatum><Einddatum>2030-01-01</Einddatum></Periode></NietMededeelbaarAdres>
</Adressen>"#;

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

fn read_bytes(plan: &Plan, bytes: &[u8], limits: &Limits) -> Result<Got, Failure> {
    plan.read(bytes, ASKED, limits).map(Got::from)
}

fn read(plan: &Plan, xml: &str) -> Result<Got, Failure> {
    read_bytes(plan, xml.as_bytes(), &Limits::default())
}

fn shown(got: &Got) -> String {
    DynamicMessage::decode(METHOD.output.clone(), got.answer.clone()).unwrap().to_string()
}

#[test]
fn granted_fields_come_and_facts_come_beside_them() {
    let retrieved = read(&NARROW, &person(WHOLE)).unwrap();
    assert_eq!(
        shown(&retrieved),
        concat!(
            r#"person{name{last_names:["Peeters","O\'Neil & Zn"],"#,
            r#"first_names:[{name:"Zo\303\253",usual:true},{name:"<An>"}]},"#,
            r#"main_residence{postal_code:"2000"}}"#
        )
    );
    let facts = retrieved.facts;
    assert!(facts.found && facts.protected_address);
    assert_eq!(facts.returned.as_deref(), Some(ASKED), "though no number is granted");
    assert_eq!(facts.protected_until.as_deref(), Some("2030-01-01"));
    assert_eq!(facts.replacement, None);
}

#[test]
fn a_grant_of_nothing_yields_nothing_but_facts() {
    let retrieved = read(&plan(&[]), &person(WHOLE)).unwrap();
    assert!(retrieved.answer.is_empty());
    assert!(retrieved.facts.found && retrieved.facts.protected_address);
    let open = read(&NARROW, &person("<INSZ>85673003360</INSZ>")).unwrap();
    assert!(open.answer.is_empty(), "messages that are empty tell nothing");
    assert!(!open.facts.protected_address);
    let flag = person("<INSZ>85673003360</INSZ><Adressen><NietMededeelbaarAdres/></Adressen>");
    assert!(read(&NARROW, &flag).unwrap().facts.protected_address, "an empty mark protects");
}

#[test]
fn what_can_stand_once_is_not_two_halves() {
    let twice = |inside: &str| person(&format!("<INSZ>85673003360</INSZ><Adressen>{inside}</Adressen>"));
    let over =
        "<NietMededeelbaarAdres><Periode><Einddatum>2021-01-31</Einddatum></Periode></NietMededeelbaarAdres>";
    assert!(read(&NARROW, &twice(over)).is_ok());
    let standing = [over, "<NietMededeelbaarAdres/>"].concat();
    assert_eq!(read(&NARROW, &twice(&standing)), Err(SourceError::AnswerInvalid.into()));

    let name = "<Naam><Achternamen><Achternaam>Janssens</Achternaam></Achternamen></Naam>";
    let two = format!("<Inhoud><Persoon><INSZ>85673003360</INSZ></Persoon><Persoon>{name}</Persoon></Inhoud>");
    assert_eq!(read(&NARROW, &answered(&two)), Err(SourceError::AnswerInvalid.into()), "whose name is it?");
}

#[test]
fn a_message_that_is_granted_itself_stands_even_when_it_is_empty() {
    let xml = person("<Geboorte/><Naam/>");
    let retrieved = read(&plan(&["person.birth", "person.name.last_names"]), &xml).unwrap();
    assert_eq!(shown(&retrieved), "person{birth{}}");
}

#[test]
fn fields_stand_in_the_order_of_their_numbers_whatever_the_document_does() {
    let (name, place) =
        ("<Naam><Achternamen><Achternaam>A</Achternaam></Achternamen></Naam>", "<INSZ>1</INSZ>");
    let granted = plan(&["person.name", "person.insz", "person.created_on"]);
    let one = read(&granted, &person(&[name, place].concat())).unwrap();
    let other = read(&granted, &person(&[place, name].concat())).unwrap();
    assert_eq!(one.answer, other.answer);
}

#[test]
fn prefixes_are_free_and_namespaces_are_not() {
    let xml = person(WHOLE);
    let plain = read(&NARROW, &xml).unwrap();
    let renamed = xml.replace("S:", "soap12:").replace("xmlns:S=", "xmlns:soap12=").replace("web:", "q:");
    let renamed = renamed.replace("xmlns:web=", "xmlns:q=");
    assert_eq!(read(&NARROW, &renamed), Ok(plain));
    for (from, to) in [
        ("schemas.xmlsoap.org/soap/envelope/", "www.w3.org/2003/05/soap-envelope"),
        ("geefpersoon/v02_02", "geefpersoon/v02_01"),
        ("GeefPersoonResponse", "GeefAttestResponse"),
        ("<Repliek>", "<Repliek xmlns=\"urn:x\">"),
        ("<Inhoud>", "<web:Inhoud xmlns:web=\"urn:x\"/><Inhalt>"),
    ] {
        let foreign = xml
            .replace(from, to)
            .replace("</Inhoud>", if to.contains("Inhalt") { "</Inhalt>" } else { "</Inhoud>" });
        assert_ne!(foreign, xml);
        assert_eq!(read(&NARROW, &foreign), Err(SourceError::AnswerInvalid.into()), "{to}");
    }
    let planted = person(
        "<INSZ>85673003360</INSZ><e:Naam xmlns:e='urn:x'><Achternamen><Achternaam>A</Achternaam></Achternamen></e:Naam>",
    );
    assert!(read(&NARROW, &planted).unwrap().answer.is_empty());
}

#[test]
fn exceptions_of_all_three_levels_are_judged() {
    use SourceError::*;
    let absent = Ok(false);
    let fault = |text: &str| {
        let envelope = reply("");
        let (head, tail) = (envelope.find("<web:").unwrap(), envelope.find("</S:Body>").unwrap());
        let fault =
            format!("<S:Fault><faultcode>S:Server</faultcode><faultstring>{text}</faultstring></S:Fault>");
        format!("{}{fault}{}", &envelope[..head], &envelope[tail..])
    };
    let data = "<Inhoud><Persoon><INSZ>85673003360</INSZ></Persoon></Inhoud>";
    let table: [(String, Result<bool, SourceError>); 13] = [
        (answered(&exception("30001", "FOUT", "")), absent),
        (reply(&exception("30003", "FOUT", "")), absent),
        (answered(&exception("15021", "FOUT", "")), absent),
        (answered(&[data, &exception("30042", "INFORMATIE", "")].concat()), Ok(true)),
        (answered(&[data, &exception("77777", "WAARSCHUWING", "")].concat()), Ok(true)),
        (answered(&[data, &exception("77777", "FOUT", "")].concat()), Err(AnswerInvalid)),
        (answered(&[data, &exception("77777", "ERREUR", "")].concat()), Err(AnswerInvalid)),
        (answered(&exception("40003", "FOUT", "")), Err(SubjectNotRegistered)),
        (reply(&exception("99995", "FOUT", "")), Err(Throttled)),
        (answered(""), Err(AnswerInvalid)),
        (answered("<Inhoud/>"), Err(AnswerInvalid)),
        (fault("Exceeded the max throttle rate of 10 within 1000ms"), Err(Throttled)),
        (fault("faultstring"), Err(Unavailable)),
    ];
    for (xml, expected) in table {
        let outcome = read(&NARROW, &xml).map(|retrieved| retrieved.facts.found);
        assert_eq!(outcome.map_err(|failure| failure.error), expected, "{xml}");
    }
    let failure = read(&NARROW, &reply(&exception("99996", "FOUT", ""))).unwrap_err();
    assert_eq!((failure.error, failure.code.as_deref()), (Down, Some("99996")));
    let failure = read(&NARROW, &reply(&exception("Janssens", "FOUT", ""))).unwrap_err();
    assert_eq!(format!("{failure:?}").find("Janssens"), None);
}

#[test]
fn a_replacement_is_announced_by_the_source() {
    let note = |name: &str, number: &str| {
        format!("<Annotatie><Naam>{name}</Naam><Waarde>{number}</Waarde></Annotatie>")
    };
    let notes = [note("oud", ASKED), note("nieuw", "62710512470")].concat();
    let warning = exception("30004", "WAARSCHUWING", &format!("<Annotaties>{notes}</Annotaties>"));
    let xml = answered(&format!("<Inhoud><Persoon><INSZ>62710512470</INSZ></Persoon></Inhoud>{warning}"));
    let facts = read(&NARROW, &xml).unwrap().facts;
    assert_eq!(facts.returned, facts.replacement);
    assert_eq!(facts.replacement.as_deref(), Some("62710512470"));
}

#[test]
fn hostile_documents_are_no_answers() {
    let sound = person(WHOLE);
    let mut table = vec![
        ("empty", String::new()),
        ("no document", "Service Unavailable".into()),
        ("declared document type", sound.replacen("<S:", "<!DOCTYPE S:Envelope><S:", 1)),
        ("entity bomb", sound.replacen("<S:", "<!DOCTYPE x [<!ENTITY a \"aa\"><!ENTITY b \"&a;&a;\">]><S:", 1)),
        ("unknown entity", sound.replace("Peeters", "&b;")),
        (
            "unknown entity in an attribute",
            sound.replace("GebruikelijkeVoornaam=\"1\"", "GebruikelijkeVoornaam=\"&b;\""),
        ),
        ("forbidden character", sound.replace("Peeters", "&#1;")),
        ("raw control character", sound.replace("Peeters", "\u{1}")),
        ("reference to nothing", sound.replace("Peeters", "&#xD800;")),
        ("other encoding", sound.replace("UTF-8", "ISO-8859-1")),
        ("second declaration", sound.replace("<S:Body>", "<?xml version=\"1.0\"?><S:Body>")),
        ("mismatched tags", sound.replace("</Naam>", "</Name>")),
        ("unbound prefix", sound.replace("<INSZ>", "<x:INSZ>").replace("</INSZ>", "</x:INSZ>")),
        ("attribute twice", sound.replace("DatumBegin=\"1985-07-30\"", "DatumBegin=\"1\" DatumBegin=\"2\"")),
        ("attribute unquoted", sound.replace("\"1985-07-30\"", "1985")),
        ("second root", format!("{sound}<x/>")),
        ("text after the root", format!("{sound}x")),
        ("reference after the root", format!("{sound}&amp;")),
        ("second answer", sound.replace("</Antwoord>", "</Antwoord><Antwoord/>")),
        (
            "second person",
            sound.replace("</Persoon>", "</Persoon><Persoon/>").replace(
                "<Persoon/>",
                "<Persoon><Naam><Achternamen><Achternaam>A</Achternaam></Achternamen></Naam></Persoon>",
            ),
        ),
        ("second number", sound.replace("</INSZ>", "</INSZ><INSZ>62710512470</INSZ>")),
        ("flag that is none", sound.replace("GebruikelijkeVoornaam=\"1\"", "GebruikelijkeVoornaam=\"JA\"")),
        ("wrong root", sound.replace("S:Envelope", "S:Envelop")),
    ];
    let deep = ["<a>".repeat(100), "</a>".repeat(100)].concat();
    table.push(("too deep", sound.replace("<INSZ>", &format!("{deep}<INSZ>"))));
    let mut many = String::new();
    (0..100).for_each(|n| write!(many, " a{n}='x'").unwrap());
    table.push(("too many attributes", sound.replace("<Persoon>", &format!("<Persoon{many}>"))));
    for (name, xml) in &table {
        assert_ne!(*xml, sound, "{name}");
        assert_eq!(read(&NARROW, xml), Err(SourceError::AnswerInvalid.into()), "{name}");
    }
    let mut latin = sound.clone().into_bytes();
    latin.push(0xff);
    assert_eq!(read_bytes(&NARROW, &latin, &Limits::default()), Err(SourceError::AnswerInvalid.into()));
}

#[test]
fn limits_hold_to_the_last_unit() {
    let xml = person(WHOLE);
    let refused = |limits: Limits| read_bytes(&NARROW, xml.as_bytes(), &limits).map_err(|e| e.error).err();
    let all = Limits::default();
    assert_eq!(refused(Limits { body: xml.len(), ..all }), None);
    assert_eq!(refused(Limits { body: xml.len() - 1, ..all }), Some(SourceError::AnswerTooLarge));
    let elements = xml.matches('<').count() - xml.matches("</").count() - 3; // declaration and CDATA
    assert_eq!(refused(Limits { elements, ..all }), None);
    assert_eq!(refused(Limits { elements: elements - 1, ..all }), Some(SourceError::AnswerInvalid));
    assert_eq!(refused(Limits { depth: 12, ..all }), None);
    assert_eq!(refused(Limits { depth: 11, ..all }), Some(SourceError::AnswerInvalid));
    assert_eq!(refused(Limits { text: "O'Neil & Zn".len(), ..all }), None);
    assert_eq!(refused(Limits { text: "O'Neil & Zn".len() - 1, ..all }), Some(SourceError::AnswerInvalid));
    assert_eq!(refused(Limits { attributes: 1, ..all }), None);
    assert_eq!(refused(Limits { attributes: 0, ..all }), Some(SourceError::AnswerInvalid));
}

#[test]
fn a_plan_is_made_for_one_message_on_one_wire() {
    let mut method = Method::clone(&METHOD);
    let trie = Trie::compile(&method.input, &["insz"]).unwrap();
    assert_eq!(Plan::compile(&method, &trie).err(), Some(PlanError::OtherMessage));
    method.magda = None;
    let trie = Trie::compile(&method.output, &["person.insz"]).unwrap();
    assert_eq!(Plan::compile(&method, &trie).err(), Some(PlanError::NotMagda));
}

proptest! {
    #[test]
    fn no_cut_of_an_answer_is_an_answer(cut in 0_usize..1700) {
        let xml = person(WHOLE);
        prop_assume!(xml.is_char_boundary(cut) && cut < xml.len());
        prop_assert_eq!(read(&NARROW, &xml[..cut]), Err(SourceError::AnswerInvalid.into()));
    }

    #[test]
    fn whatever_comes_the_answer_decodes_and_holds_only_what_is_granted(
        changes in proptest::collection::vec((0_usize..1700, any::<u8>(), 0_usize..3), 1..6),
    ) {
        let mut bytes = person(WHOLE).into_bytes();
        for (at, byte, what) in changes {
            let at = at % bytes.len();
            match what {
                0 => bytes[at] = byte,
                1 => bytes.insert(at, byte),
                _ => drop(bytes.remove(at)),
            }
        }
        if let Ok(retrieved) = read_bytes(&NARROW, &bytes, &Limits::default()) {
            let shown = shown(&retrieved);
            prop_assert!(!shown.contains("valid_from") && !shown.contains("number") && !shown.contains("insz"), "{}", shown);
        }
    }
}
