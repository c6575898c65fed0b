//! Whom an answer is about, and what it says of itself.

use sluis::source::SourceError::{self, AnswerInvalid, Internal, Refused, SubjectNotRegistered};

use crate::{ASKED, OTHER, Service, read, read_reply, reply};

/// Who is named, of an answer that is one: `None` where nobody is.
fn named(service: &Service<'_>, content: &str) -> Result<Option<String>, SourceError> {
    let facts = read(&service.compile(), &[], content)?.1;
    assert!(facts.found);
    assert_eq!(facts.unnamed, facts.returned.is_none(), "{content}");
    Ok(facts.returned.map(String::from))
}

#[test]
fn each_part_is_about_the_person_asked_for() {
    let service = Service {
        answer: r#"repeated P periods = 1 [x: "Perioden/Periode";;"#,
        more: r#"message P { string insz = 1 [x: "INSZ", subject: true;; string day = 2 [x: "Dag";; }"#,
        ..Service::default()
    };
    let periods = |numbers: &[&str]| {
        let period = |number: &&str| match *number {
            "" => "<Periode><Dag>1</Dag></Periode>".to_owned(),
            number => format!("<Periode><INSZ>{number}</INSZ></Periode>"),
        };
        format!("<Perioden>{}</Perioden>", numbers.iter().map(period).collect::<String>())
    };
    for (numbers, expected) in [
        (&[ASKED][..], Ok(Some(ASKED))),
        (&[ASKED, ASKED], Ok(Some(ASKED))),
        (&[OTHER, OTHER], Ok(Some(OTHER))),
        (&[ASKED, OTHER], Err(AnswerInvalid)),
        (&[ASKED, ""], Err(AnswerInvalid)),
        (&["", ASKED], Err(AnswerInvalid)),
        (&[""], Ok(None)),
    ] {
        let found = named(&service, &periods(numbers));
        assert_eq!(found.as_ref().map(Option::as_deref), expected.as_ref().copied(), "{numbers:?}");
    }
}

#[test]
fn of_the_people_in_a_part_the_person_asked_for_is_one() {
    let service = Service {
        answer: r#"repeated F files = 1 [x: "Dossier", among: true;;"#,
        more: r#"message F { repeated string paid = 1 [x: "Begunstigde", party: true;; P partner = 2 [x: "Partner";;
                             repeated F files = 3; }
                 message P { string insz = 1 [x: "@INSZ", party: true;; }"#,
        ..Service::default()
    };
    let (me, you) = (format!("<Begunstigde>{ASKED}</Begunstigde>"), format!("<Partner INSZ='{OTHER}'/>"));
    let file = |inside: &[&str]| format!("<Dossier>{}</Dossier>", inside.concat());
    for (content, expected) in [
        (file(&[&me, &you]), Ok(Some(ASKED))),
        (format!("{}{}", file(&[&me]), file(&[&you, &me])), Ok(Some(ASKED))),
        (format!("{}{}", file(&[&me]), file(&[])), Ok(Some(ASKED))),
        (file(&[]), Ok(None)),
        (file(&[&you]), Ok(Some(OTHER))),
        (format!("{}{}", file(&[&me]), file(&[&you])), Err(AnswerInvalid)),
    ] {
        let found = named(&service, &content);
        assert_eq!(found.as_ref().map(Option::as_deref), expected.as_ref().copied(), "{content}");
    }
}

/// The number stands on the element itself that repeats, and below one that repeats as well.
#[test]
fn a_number_in_an_attribute_counts_to_its_own_element() {
    let service = Service {
        answer: r#"repeated F files = 1 [x: "Dossier";;"#,
        more: r#"message F { repeated P persons = 1 [x: "Persoon";; string day = 2 [x: "Dag";; }
                 message P { string insz = 1 [x: "@INSZ", subject: true;; }"#,
        ..Service::default()
    };
    let (me, you) = (format!("<Persoon INSZ='{ASKED}'/>"), format!("<Persoon INSZ='{OTHER}'/>"));
    let file = |inside: &[&str]| format!("<Dossier>{}</Dossier>", inside.concat());
    for (content, expected) in [
        (file(&[&me]), Ok(Some(ASKED))),
        (file(&[&me, &me]), Ok(Some(ASKED))),
        (file(&[&me, &you]), Err(AnswerInvalid)),
        // A file that names nobody beside one that does.
        (format!("{}{}", file(&[&me]), file(&["<Dag>1</Dag>"])), Err(AnswerInvalid)),
    ] {
        let found = named(&service, &content);
        assert_eq!(found.as_ref().map(Option::as_deref), expected.as_ref().copied(), "{content}");
    }

    let years = Service {
        answer: r#"repeated Y years = 1 [x: "Jaar", among: true;;"#,
        more: r#"message Y { repeated B paid = 1 [x: "Betaling", among: true;; }
                 message B { string insz = 1 [x: "@INSZ", party: true;; }"#,
        ..Service::default()
    };
    let year = format!("<Jaar><Betaling INSZ='{ASKED}'/><Betaling INSZ='{OTHER}'/></Jaar>");
    assert_eq!(named(&years, &year), Err(AnswerInvalid), "another's payment beside one's own");
    let own = format!("<Jaar><Betaling INSZ='{ASKED}'/><Betaling INSZ='{ASKED}'/></Jaar>");
    assert_eq!(named(&years, &own), Ok(Some(ASKED.to_owned())));
}

/// A service whose content tells its own status.
const TELLING: Service<'_> = Service {
    answer: r#"R r = 1 [x: "Antwoord";;"#,
    more: r#"message R { T status = 1 [x: "status";; string insz = 2 [x: "ssin", subject: true;;
                         string by = 3 [x: "ssin/@replacedBy", fact: FACT_REPLACEMENT;; string data = 4 [x: "data";; }
             message T { string value = 1 [x: "value", fact: FACT_STATUS;; string code = 2 [x: "code", fact: FACT_STATUS_CODE;;
                         repeated I information = 3 [x: "information";; }
             message I { string value = 1 [x: "fieldValue", fact: FACT_STATUS_INFORMATION;; }"#,
    method: "",
    magda: "",
    request: "",
};

fn told(value: &str, code: &str, more: &str) -> String {
    format!(
        "<Antwoord><status><value>{value}</value><code>{code}</code>{more}</status><ssin>{ASKED}</ssin><data>d</data></Antwoord>"
    )
}

#[test]
fn the_status_in_the_content_ends_an_exchange_as_elsewhere() {
    let method = TELLING.compile();
    let whole = || Ok(("r{data:\"d\"}", true));
    let nothing = || Ok(("", false));
    for (value, code, expected) in [
        ("DATA_FOUND", "MSG00000", whole()),
        ("INCOMPLETE_DATA", "HAN20200", whole()),
        ("NO_DATA_FOUND", "MSG00100", nothing()),
        ("NO_DATA_FOUND", "MSG00009", nothing()),
        ("NO_RESULT", "MSG00005", nothing()),
        ("NO_RESULT", "MSG00006", nothing()),
        ("NO_RESULT", "MSG00012", Err(SubjectNotRegistered)),
        ("NO_RESULT", "MSG00013", Err(Refused)),
        ("NO_RESULT", "MSG00011", Err(Internal)),
        ("NO_RESULT", "MSG12345", Err(AnswerInvalid)),
        ("", "MSG00012", Err(SubjectNotRegistered)),
        ("FOUND_DATA", "MSG00000", Err(AnswerInvalid)),
    ] {
        let found = read(&method, &["r.data"], &told(value, code, ""));
        let found = found.as_ref().map(|(shown, facts)| (shown.as_str(), facts.found));
        assert_eq!(found.map_err(|error| *error), expected, "{value} {code}");
    }
}

#[test]
fn the_platforms_exceptions_carry_the_same_statuses() {
    let method = TELLING.compile();
    let exception = |code: &str, kind: &str, circumstance: &str, status: &str| {
        format!(
            "<Uitzonderingen><Uitzondering><Identificatie>{code}</Identificatie><Type>{kind}</Type>\
             <Omstandigheid>{circumstance}</Omstandigheid><Annotaties><Annotatie><Naam>status code</Naam>\
             <Waarde>{status}</Waarde></Annotatie></Annotaties></Uitzondering></Uitzonderingen>"
        )
    };
    for (content, beside, expected) in [
        (told("DATA_FOUND", "MSG00000", ""), String::new(), Ok(true)),
        (
            told("INCOMPLETE_DATA", "HAN20200", ""),
            exception("70001", "WAARSCHUWING", "INCOMPLETE_DATA", "HAN20200"),
            Ok(true),
        ),
        (
            told("NO_DATA_FOUND", "MSG00100", ""),
            exception("70001", "WAARSCHUWING", "NO_DATA_FOUND", "MSG00100"),
            Ok(false),
        ),
        (
            told("NO_RESULT", "MSG00012", ""),
            exception("70002", "WAARSCHUWING", "NO_RESULT", "MSG00012"),
            Err(SubjectNotRegistered),
        ),
        (String::new(), exception("70002", "FOUT", "NO_RESULT", "MSG00012"), Err(SubjectNotRegistered)),
        (String::new(), exception("70002", "FOUT", "NO_RESULT", "MSG00013"), Err(Refused)),
        (String::new(), exception("70003", "FOUT", "", ""), Err(SourceError::Unavailable)),
    ] {
        let found = read_reply(&method, &["r.data"], &reply(&content, &beside));
        assert_eq!(found.map(|(_, facts)| facts.found), expected, "{content} {beside}");
    }
}

#[test]
fn a_number_that_was_replaced_is_told() {
    let method = TELLING.compile();
    let beside = |value: &str| format!("<information><fieldValue>{value}</fieldValue></information>");
    let read = |content: &str| read(&method, &["r.data"], content);
    let (shown, facts) = read(&told("NO_RESULT", "MSG00006", &beside(OTHER))).unwrap();
    assert_eq!((shown.as_str(), facts.found, facts.replacement.as_deref()), ("", false, Some(OTHER)));
    let data = told("DATA_FOUND", "MSG00000", &beside(OTHER));
    assert_eq!(read(&data).unwrap().1.replacement, None, "another number is no replacement");
    let new = data.replace(&format!("<ssin>{ASKED}"), &format!("<ssin replacedBy='{OTHER}'>{ASKED}"));
    let facts = read(&new).unwrap().1;
    assert_eq!((facts.returned.as_deref(), facts.replacement.as_deref()), (Some(ASKED), Some(OTHER)));
}
