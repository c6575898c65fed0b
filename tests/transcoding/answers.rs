//! Where values stand: attributes, containers at any depth, namespaces; and hostile forms of each.

use std::sync::Arc;

use sluis::domain::vocabulary::Method;
use sluis::source::SourceError::{AnswerInvalid, AnswerTooLarge};

use crate::{Service, read};

fn method() -> Arc<Method> {
    Service {
        answer: r#"repeated Year years = 1 [x: "Jaren/Jaar";; Text note = 2 [x: "Nota";; string code = 3 [x: "Nota/@code";;
                   string foreign = 4 [x: "{urn:o}Vreemd/{urn:p}Diep";; string own = 5 [x: "{urn:s}Eigen";;
                   string tongue = 6 [x: "Nota/@{http://www.w3.org/XML/1998/namespace}lang";;
                   oneof either { string left = 7 [x: "Links";; string right = 8 [x: "Rechts";; }"#,
        more: r#"message Year { string year = 1 [x: "@Jaar";; repeated Month months = 2 [x: "Maanden/Maand";; }
                 message Month { repeated Payment payments = 1 [x: "Betalingen/Betaling";; optional bool last = 2 [x: "Betalingen/@Laatste";; }
                 message Payment { string amount = 1 [x: "Bedrag";; repeated string to = 2 [x: "Aan/Wie";; }
                 message Text { string text = 1 [x: ".";; string language = 2 [x: "@Taal";; }"#,
        ..Service::default()
    }
    .compile()
}

const ALL: &[&str] = &["years", "note", "code", "foreign", "own", "tongue", "left", "right"];

fn shown(paths: &[&str], content: &str) -> String {
    read(&method(), paths, content).unwrap().0
}

#[test]
fn containers_repeat_at_any_depth() {
    let month = |n: &str| {
        format!(
            "<Maand><Betalingen Laatste='1'><Betaling><Bedrag>{n}.00</Bedrag><Aan><Wie>a</Wie><Wie>b</Wie></Aan></Betaling>\
             <Betaling><Bedrag>{n}.50</Bedrag></Betaling></Betalingen></Maand>"
        )
    };
    let content = format!(
        "<Jaren><Jaar Jaar='2021'><Maanden>{}{}</Maanden></Jaar><Jaar Jaar='2022'><Maanden>{}</Maanden></Jaar></Jaren>",
        month("1"),
        month("2"),
        month("3")
    );
    let payments =
        |n: &str| format!("payments:[{{amount:\"{n}.00\",to:[\"a\",\"b\"]}},{{amount:\"{n}.50\"}}],last:true");
    let expected = format!(
        "years:[{{year:\"2021\",months:[{{{}}},{{{}}}]}},{{year:\"2022\",months:[{{{}}}]}}]",
        payments("1"),
        payments("2"),
        payments("3")
    );
    assert_eq!(shown(&["years"], &content), expected);
    assert_eq!(
        shown(&["years.months.payments.amount"], &content),
        "years:[{months:[{payments:[{amount:\"1.00\"},{amount:\"1.50\"}]},{payments:[{amount:\"2.00\"},{amount:\"2.50\"}]}]},\
         {months:[{payments:[{amount:\"3.00\"},{amount:\"3.50\"}]}]}]"
    );
    assert_eq!(shown(&["years.year"], &content), "years:[{year:\"2021\"},{year:\"2022\"}]");
}

#[test]
fn texts_stand_beside_attributes_and_names_in_their_namespaces() {
    let nota = "<Nota code='7' Taal='nl' xml:lang='be'>tekst</Nota>";
    assert_eq!(shown(ALL, nota), "note{text:\"tekst\",language:\"nl\"},code:\"7\",tongue:\"be\"");
    assert_eq!(shown(&["note.text"], nota), "note{text:\"tekst\"}");
    let foreign =
        "<q:Vreemd xmlns:q='urn:o'><Diep xmlns='urn:p'>d</Diep></q:Vreemd><z:Eigen xmlns:z='urn:s'>e</z:Eigen>";
    assert_eq!(shown(ALL, foreign), "foreign:\"d\",own:\"e\"");
    for elsewhere in [
        "<Vreemd><Diep>d</Diep></Vreemd><Eigen>e</Eigen>",
        "<q:Vreemd xmlns:q='urn:p'><q:Diep>d</q:Diep></q:Vreemd>",
        "<q:Vreemd xmlns:q='urn:o'><q:Diep>d</q:Diep></q:Vreemd>",
        "<x:Nota xmlns:x='urn:x' code='7'>tekst</x:Nota>",
        "<Nota xmlns:x='urn:x' x:code='7' x:Taal='nl'/>",
    ] {
        let shown = shown(&["note.text", "note.language", "code", "foreign", "own"], elsewhere);
        assert_eq!(shown, "", "{elsewhere}");
    }
}

#[test]
fn of_a_choice_one_stands() {
    assert_eq!(shown(ALL, "<Links>l</Links>"), "left:\"l\"");
    assert_eq!(shown(ALL, "<Rechts/>"), "right:\"\"");
    let both = "<Links>l</Links><Rechts>r</Rechts>";
    assert_eq!(read(&method(), ALL, both).err(), Some(AnswerInvalid));
    assert_eq!(shown(&["right"], both), "right:\"r\"", "what is not granted is not looked at");
}

#[test]
fn hostile_answers_are_refused_or_bounded() {
    let method = method();
    for content in [
        "<Nota>a</Nota><Nota>b</Nota>",
        "<Nota/><Nota/>",
        "<Nota code='1' code='2'/>",
        "<Jaren><Jaar><Maanden><Maand><Betalingen><Betaling><Bedrag>1</Bedrag><Bedrag>2</Bedrag></Betaling></Betalingen></Maand></Maanden></Jaar></Jaren>",
        "<Jaren><Jaar><Maanden><Maand><Betalingen Laatste='1'/><Betalingen Laatste='1'/></Maand></Maanden></Jaar></Jaren>",
        "<Jaren><Jaar><Maanden><Maand><Betalingen Laatste='ja'/></Maand></Maanden></Jaar></Jaren>",
    ] {
        assert_eq!(read(&method, ALL, content).err(), Some(AnswerInvalid), "{content}");
    }
    // A container that stands twice is one; a nested one is another place.
    let twice = "<Jaren><Jaar Jaar='1'/></Jaren><Jaren><Jaar Jaar='2'/></Jaren>";
    assert_eq!(shown(&["years"], twice), "years:[{year:\"1\"},{year:\"2\"}]");
    let nested = "<Jaren><Jaar Jaar='1'><Jaren><Jaar Jaar='2'/></Jaren></Jaar></Jaren>";
    assert_eq!(shown(&["years.year"], nested), "years:[{year:\"1\"}]");

    let many = |n: usize| format!("<Jaren>{}</Jaren>", "<Jaar Jaar='1'/>".repeat(n));
    let whole = shown(&["years.year"], &many(100_000));
    assert_eq!(whole.matches("year:").count(), 100_000);
    assert_eq!(read(&method, &["years.year"], &many(200_000)).err(), Some(AnswerInvalid), "too many elements");
    assert_eq!(read(&method, &["years.year"], &many(600_000)).err(), Some(AnswerTooLarge));
    let long = format!("<Nota>{}</Nota>", "x".repeat((1 << 20) + 1));
    assert_eq!(read(&method, &["note"], &long).err(), Some(AnswerInvalid), "too long a text");
    assert_eq!(shown(&["code"], &long), "", "what is not granted is not kept");
}
