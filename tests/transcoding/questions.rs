//! What a request comes to in a question: values, attributes, groups, constants, flags by what is granted.

use jiff::Timestamp;
use prost::Message as _;
use prost_reflect::DynamicMessage;
use sluis::domain::grant::Trie;
use sluis::domain::instrument::Upstream;
use sluis::domain::vocabulary::Method;
use sluis::source::SourceError;
use sluis::source::magda::Envelope;
use uuid::Uuid;

use crate::{ASKED, Service};

/// What stands in `Vraag` behind its reference, where this much is granted.
fn question(method: &Method, request: &str, granted: &[&str]) -> Result<String, SourceError> {
    let text = format!("insz: '{ASKED}' {request}");
    let request = DynamicMessage::parse_text_format(method.input.clone(), &text).unwrap().encode_to_vec();
    let upstream = Upstream { magda_identification: Some("a".into()), magda_quality_code: None };
    let answer = Trie::compile(&method.output, granted).unwrap();
    let envelope = Envelope::write(method, &request, &answer, &upstream, Uuid::nil(), Timestamp::UNIX_EPOCH)?;
    let body = String::from_utf8(envelope.body.to_vec()).unwrap();
    let inside = body.split_once("<Vraag><Referte>00000000-0000-0000-0000-000000000000</Referte>").unwrap().1;
    Ok(inside.split_once("</Vraag>").unwrap().0.replace(ASKED, "#"))
}

/// The same, of a service with this question.
fn asks(magda: &str, request: &str, expected: &str) {
    let method = Service {
        magda,
        request: r"string name = 2; Period period = 3; repeated Status statuses = 4; optional bool flag = 5;
                    repeated string codes = 6; Colour colour = 7; optional int32 count = 8;
                    oneof when { string day = 9; Period span = 10; }",
        answer: r#"File a = 1 [x: "A";; File b = 2 [x: "B";;"#,
        more: r#"message Period { string begin = 1; string end = 2; }
                 message Status { string name = 1; Period period = 2; repeated string places = 3; }
                 message File { string cards = 1 [x: "Kaarten";; Rights rights = 2 [x: "Rechten";; }
                 message Rights { string amount = 1 [x: "Bedrag";; string status = 2 [x: "Status";; }
                 enum Colour { NONE = 0; RED = 1 [(sluis.options.v1.xml_value) = "R"]; PLAIN = 2; }"#,
        ..Service::default()
    }
    .compile();
    let (request, granted) = request.split_once('|').unwrap_or((request, "a.cards"));
    let granted: Vec<_> = granted.split_whitespace().collect();
    let written = question(&method, request, &granted);
    let written = written.unwrap_or_else(|error| format!("{error:?}"));
    assert_eq!(written, expected, "{magda} of {request}");
}

#[test]
fn values_stand_where_the_options_say() {
    let number = r#"content: {path: "Criteria/INSZ" field: "insz"}"#;
    for (more, request, expected) in [
        ("", "", "<Inhoud><Criteria><INSZ>#</INSZ></Criteria></Inhoud>"),
        (
            r#"content: {path: "Criteria/Periode/Begin" field: "period.begin"} content: {path: "Criteria/Periode/Einde" field: "period.end"} content: {path: "Taal" value: "nl"}"#,
            "period: {begin: '2021-01-01' end: '2021-12-31'}",
            "<Inhoud><Criteria><INSZ>#</INSZ><Periode><Begin>2021-01-01</Begin><Einde>2021-12-31</Einde></Periode></Criteria><Taal>nl</Taal></Inhoud>",
        ),
        (
            r#"content: {path: "Criteria/Periode/Begin" field: "period.begin"} content: {path: "Criteria/Periode/Einde" field: "period.end"}"#,
            "period: {}",
            "<Inhoud><Criteria><INSZ>#</INSZ></Criteria></Inhoud>",
        ),
        (
            r#"content: {path: "Codes/Code" field: "codes"} content: {path: "Kleur" field: "colour" value: "X"}"#,
            "codes: ['a', 'b<&'] colour: RED",
            "<Inhoud><Criteria><INSZ>#</INSZ></Criteria><Codes><Code>a</Code><Code>b&lt;&amp;</Code></Codes><Kleur>R</Kleur></Inhoud>",
        ),
        (
            r#"content: {path: "Kleur" field: "colour" value: "X"} content: {path: "N" field: "count"}"#,
            "count: -3",
            "<Inhoud><Criteria><INSZ>#</INSZ></Criteria><Kleur>X</Kleur><N>-3</N></Inhoud>",
        ),
        (
            r#"content: {path: "A" field: "flag"} content: {path: "B" field: "flag" flag: FLAG_WORDS} content: {path: "C" field: "flag" flag: FLAG_DIGITS}"#,
            "flag: false",
            "<Inhoud><Criteria><INSZ>#</INSZ></Criteria><A>0</A><B>false</B><C>0</C></Inhoud>",
        ),
        (
            r#"content: {path: "Dag" field: "day"} content: {path: "Van" field: "span.begin"}"#,
            "span: {begin: 'x'}",
            "<Inhoud><Criteria><INSZ>#</INSZ></Criteria><Van>x</Van></Inhoud>",
        ),
        (r#"content: {path: "Kleur" field: "colour"}"#, "colour: PLAIN", "QuestionMalformed"),
        (r#"content: {path: "Naam" field: "name"}"#, "name: '\\x01'", "QuestionMalformed"),
        (r#"content: {path: "Naam" field: "name" required: true}"#, "", "QuestionMalformed"),
        (
            r#"content: {path: "Naam" field: "name" required: true}"#,
            "name: 'x'",
            "<Inhoud><Criteria><INSZ>#</INSZ></Criteria><Naam>x</Naam></Inhoud>",
        ),
    ] {
        asks(&format!("{number} {more}"), request, expected);
    }
}

#[test]
fn attributes_stand_on_elements_that_are_there() {
    let magda = r#"content: {path: "Jaar" field: "name"} content: {path: "Jaar/@Huidig" field: "flag"}
                   content: {path: "Jaar/@Bron" value: "RR"}"#;
    asks(magda, "name: '2025' flag: true", "<Inhoud><Jaar Bron=\"RR\" Huidig=\"1\">2025</Jaar></Inhoud>");
    asks(magda, "flag: true", "<Inhoud></Inhoud>");
    let magda = r#"content: {path: "A/B" field: "name"} content: {path: "A/@x" value: "\"<"}"#;
    asks(magda, "name: 'y'", "<Inhoud><A x=\"&quot;&lt;\"><B>y</B></A></Inhoud>");
    asks(magda, "", "<Inhoud></Inhoud>");
}

#[test]
fn a_group_stands_for_each_message_and_only_with_something_in_it() {
    let magda = r#"content: {path: "Statuten/Statuut" field: "statuses" required: true
                     elements: {path: "Naam" field: "name" required: true}
                     elements: {path: "Datum" elements: {path: "Begin" field: "period.begin"}}
                     elements: {path: "Plaatsen/Plaats" field: "places"}}"#;
    asks(
        magda,
        "statuses: {name: 'a' period: {begin: 'd'}} statuses: {name: 'b' places: ['x', 'y']}",
        "<Inhoud><Statuten><Statuut><Naam>a</Naam><Datum><Begin>d</Begin></Datum></Statuut><Statuut><Naam>b</Naam>\
         <Plaatsen><Plaats>x</Plaats><Plaats>y</Plaats></Plaatsen></Statuut></Statuten></Inhoud>",
    );
    asks(magda, "", "QuestionMalformed");
    asks(magda, "statuses: {places: ['x']}", "QuestionMalformed");
    let constant = r#"content: {path: "Periode" field: "period" elements: {path: "Soort" value: "vast"}}"#;
    asks(constant, "", "<Inhoud></Inhoud>");
    asks(constant, "period: {}", "<Inhoud><Periode><Soort>vast</Soort></Periode></Inhoud>");
    let group = r#"content: {path: "G" elements: {path: "N" field: "name"}}"#;
    asks(group, "", "<Inhoud></Inhoud>");
    asks(group, "name: 'x'", "<Inhoud><G><N>x</N></G></Inhoud>");
}

#[test]
fn the_content_stands_where_the_service_wants_it() {
    let number = r#"content: {path: "Criteria/INSZ" field: "insz"}"#;
    asks(&format!(r#"container: "." {number}"#), "", "<Criteria><INSZ>#</INSZ></Criteria>");
    asks(
        &format!(r#"container: "Vragen" {number}"#),
        "",
        "<Vragen><Criteria><INSZ>#</INSZ></Criteria></Vragen>",
    );
    asks(
        r#"container: "." content: {path: "Inhoud/INSZ" field: "insz"} content: {path: "Extra" value: "x"}"#,
        "",
        "<Inhoud><INSZ>#</INSZ></Inhoud><Extra>x</Extra>",
    );
}

#[test]
fn names_bring_their_namespaces_along_in_canonical_form() {
    asks(
        r#"content: {path: "{urn:a}A/{urn:a}B/C" field: "insz"} content: {path: "{urn:a}A/{urn:b}D" value: "d"}
           content: {path: "{urn:a}A/@{urn:z}q" value: "1"} content: {path: "{urn:a}A/@{urn:b}p" value: "2"}
           content: {path: "{urn:a}A/@r" value: "3"}
           content: {path: "{urn:a}A/@{http://www.w3.org/XML/1998/namespace}lang" value: "nl"}"#,
        "",
        "<Inhoud><o:A xmlns:a2=\"urn:b\" xmlns:a3=\"urn:z\" xmlns:o=\"urn:a\" r=\"3\" xml:lang=\"nl\" a2:p=\"2\" a3:q=\"1\">\
         <o:B><C>#</C></o:B><o:D xmlns:o=\"urn:b\">d</o:D></o:A></Inhoud>",
    );
}

#[test]
fn the_source_is_asked_for_no_more_than_is_granted() {
    let magda = r#"content: {path: "Bronnen/A" opened_by: "a" flag: FLAG_WORDS} content: {path: "Bronnen/B" opened_by: "b"}
                   content: {path: "Delen/Kaarten" opened_by: "*.cards"} content: {path: "Delen/Rechten" opened_by: "*.rights"}
                   content: {path: "Status" opened_by: "a.rights.status" opened_by: "b.rights.status"}
                   content: {path: "Lijst/Deel" value: "KAART" opened_by: "*.cards"}
                   content: {path: "Lijst/Deel" value: "RECHT" opened_by: "*.rights"}"#;
    let expected = |a: &str, rest: [&str; 4], list: &str| {
        let [b, cards, rights, status] = rest;
        format!(
            "<Inhoud><Bronnen><A>{a}</A><B>{b}</B></Bronnen><Delen><Kaarten>{cards}</Kaarten><Rechten>{rights}</Rechten></Delen>\
             <Status>{status}</Status>{list}</Inhoud>"
        )
    };
    let (card, right) = ("<Deel>KAART</Deel>", "<Deel>RECHT</Deel>");
    for (granted, written) in [
        ("a.cards", expected("true", ["0", "1", "0", "0"], &format!("<Lijst>{card}</Lijst>"))),
        ("b.rights.amount", expected("false", ["1", "0", "1", "0"], &format!("<Lijst>{right}</Lijst>"))),
        ("b.rights", expected("false", ["1", "0", "1", "1"], &format!("<Lijst>{right}</Lijst>"))),
        ("a", expected("true", ["0", "1", "1", "1"], &format!("<Lijst>{card}{right}</Lijst>"))),
        ("", expected("false", ["0", "0", "0", "0"], "")),
    ] {
        asks(magda, &format!("name: 'x'|{granted}"), &written);
    }
}

#[test]
fn a_value_has_the_form_that_the_source_takes() {
    for (form, good, bad) in [
        (
            "DATE",
            &["2026-01-31", "2024-02-29"][..],
            &["2026-02-29", "2026-1-31", "2026-00-00", "31/01/2026", "vandaag", "2026-01-31T00:00"][..],
        ),
        ("MONTH", &["2026-01"], &["2026-13", "2026", "2026-01-01", "26-01"]),
        ("YEAR", &["2026"], &["26", "20260", "jaar"]),
        ("QUARTER", &["2024Q3"], &["2024Q5", "2024q3", "24Q3", "2024"]),
        ("UNSPECIFIED", &["x"], &[]),
    ] {
        let magda = format!(r#"content: {{path: "Naam" field: "name" form: FORM_{form}}}"#);
        for text in good {
            asks(&magda, &format!("name: '{text}'"), &format!("<Inhoud><Naam>{text}</Naam></Inhoud>"));
        }
        for text in bad {
            asks(&magda, &format!("name: '{text}'"), "QuestionMalformed");
        }
        asks(&magda, "", "<Inhoud></Inhoud>");
    }
}
