//! Each kind of value, as a text and what it comes to.

use sluis::source::SourceError;

use crate::{Service, read};

/// A field of this declaration, in an element `A` whose text is this.
fn comes_to(declaration: &str, content: &str) -> Result<String, SourceError> {
    let more = format!(
        "message K {{ {declaration} = 1 [x: \"A\";; string last = 20 [x: \"Z\";; }}
         enum Colour {{ NONE = 0; RED = 1 [(sluis.options.v1.xml_value) = \"R\"];
                        DASH = 2 [(sluis.options.v1.xml_value) = \"-\"]; BELOW = -1 [(sluis.options.v1.xml_value) = \"B\"]; }}"
    );
    let method = Service { answer: "K k = 1 [x: \"K\";;", more: &more, ..Service::default() }.compile();
    let shown = read(&method, &["k"], &format!("<K>{content}<Z>z</Z></K>"))?.0;
    Ok(shown.strip_prefix("k{").unwrap().strip_suffix("last:\"z\"}").unwrap().trim_end_matches(',').into())
}

const INVALID: Result<&str, SourceError> = Err(SourceError::AnswerInvalid);

fn holds(table: &[(&str, &str, Result<&str, SourceError>)]) {
    for (declaration, text, expected) in table {
        let content = if text.contains('<') { (*text).to_owned() } else { format!("<A>{text}</A>") };
        assert_eq!(comes_to(declaration, &content).as_deref(), expected.as_deref(), "{declaration} of {text}");
    }
}

#[test]
fn whole_numbers_fit_and_have_one_form() {
    holds(&[
        ("int32 a", "7", Ok("a:7")),
        ("int32 a", " 7 ", Ok("a:7")),
        ("int32 a", "-7", Ok("a:-7")),
        ("int32 a", "0", Ok("")),
        ("optional int32 a", "0", Ok("a:0")),
        ("int32 a", "", Ok("")),
        ("optional int32 a", "", Ok("")),
        ("int32 a", "2147483647", Ok("a:2147483647")),
        ("int32 a", "2147483648", INVALID),
        ("int32 a", "-2147483648", Ok("a:-2147483648")),
        ("int32 a", "-2147483649", INVALID),
        ("uint32 a", "4294967295", Ok("a:4294967295")),
        ("uint32 a", "4294967296", INVALID),
        ("uint32 a", "-1", INVALID),
        ("int64 a", "9223372036854775807", Ok("a:9223372036854775807")),
        ("int64 a", "9223372036854775808", INVALID),
        ("int64 a", "-9223372036854775808", Ok("a:-9223372036854775808")),
        ("uint64 a", "18446744073709551615", Ok("a:18446744073709551615")),
        ("uint64 a", "18446744073709551616", INVALID),
        ("sint32 a", "-2147483648", Ok("a:-2147483648")),
        ("sint64 a", "-5", Ok("a:-5")),
        ("fixed32 a", "4294967295", Ok("a:4294967295")),
        ("fixed64 a", "5", Ok("a:5")),
        ("sfixed32 a", "-5", Ok("a:-5")),
        ("sfixed64 a", "-9223372036854775808", Ok("a:-9223372036854775808")),
        ("int32 a", "+7", INVALID),
        ("int32 a", "007", INVALID),
        ("int32 a", "-0", INVALID),
        ("int32 a", "7.0", INVALID),
        ("int32 a", "1 000", INVALID),
        ("int32 a", "seven", INVALID),
    ]);
}

#[test]
fn flags_codes_texts_and_bytes() {
    holds(&[
        ("optional bool a", "1", Ok("a:true")),
        ("optional bool a", "true", Ok("a:true")),
        ("optional bool a", "0", Ok("a:false")),
        ("optional bool a", "false", Ok("a:false")),
        ("bool a", "0", Ok("")),
        ("bool a", "JA", INVALID),
        ("bool a", "True", INVALID),
        ("Colour a", "R", Ok("a:RED")),
        ("Colour a", "-", Ok("a:DASH")),
        ("Colour a", "B", Ok("a:BELOW")),
        ("Colour a", "", Ok("")),
        // A list that may grow is declared as text.
        ("Colour a", "G", INVALID),
        ("Colour a", "r", INVALID),
        ("Colour a", "1", INVALID),
        ("string a", "G", Ok("a:\"G\"")),
        ("string a", "70.50", Ok("a:\"70.50\"")),
        ("string a", "1985-00-00", Ok("a:\"1985-00-00\"")),
        ("string a", "007", Ok("a:\"007\"")),
        ("optional string a", "", Ok("a:\"\"")),
        ("bytes a", "aGFs\n bG8=", Ok("a:\"hallo\"")),
        ("bytes a", "aGFsbG8", INVALID),
    ]);
}

#[test]
fn what_repeats_keeps_its_order_and_what_does_not_stands_once() {
    holds(&[
        ("repeated string a", "<A>x</A><A/><A>y</A>", Ok("a:[\"x\",\"\",\"y\"]")),
        ("repeated int32 a", "<A>3</A><A>0</A><A>-1</A>", Ok("a:[3,0,-1]")),
        ("repeated int32 a", "<A>3</A><A/>", Ok("a:[3]")),
        ("repeated int32 a", "<A/>", Ok("")),
        ("repeated int32 a", "<A>3</A><A>x</A>", INVALID),
        ("repeated fixed64 a", "<A>3</A><A>4</A>", Ok("a:[3,4]")),
        ("repeated Colour a", "<A>R</A><A>B</A>", Ok("a:[RED,BELOW]")),
        ("repeated bool a", "<A>1</A><A>0</A>", Ok("a:[true,false]")),
        ("string a", "<A>x</A><A>x</A>", INVALID),
        ("string a", "<A/><A>x</A>", INVALID),
        ("int32 a", "<A>0</A><A>7</A>", INVALID),
        ("bool a", "<A>0</A><A>0</A>", INVALID),
    ]);
}

#[test]
fn what_is_nil_says_nothing() {
    let nil = |value: &str| format!("<A xmlns:i='http://www.w3.org/2001/XMLSchema-instance' i:nil='{value}'");
    for (declaration, text, expected) in [
        ("string a", format!("{}/>", nil("true")), Ok("")),
        ("optional string a", format!("{}/>", nil("1")), Ok("")),
        ("optional string a", format!("{}/>", nil("false")), Ok("a:\"\"")),
        ("optional string a", format!("{}>x</A>", nil("0")), Ok("a:\"x\"")),
        ("repeated string a", format!("<A>x</A>{}></A>", nil("true")), Ok("a:[\"x\"]")),
        ("K a", format!("{}/>", nil("true")), Ok("")),
        ("K a", format!("{}/>", nil("false")), Ok("a{}")),
        ("string a", format!("{}>x</A>", nil("true")), INVALID),
        ("K a", format!("{}><Z>x</Z></A>", nil("true")), INVALID),
        ("string a", format!("{}/>", nil("maybe")), INVALID),
    ] {
        // The message holds itself, so that its presence is what is granted.
        let declaration = declaration.replace("K a", "Empty a");
        let more = format!("message K {{ {declaration} = 1 [x: \"A\";; }} message Empty {{}}");
        let method = Service { answer: "K k = 1 [x: \"K\";;", more: &more, ..Service::default() }.compile();
        let shown = read(&method, &["k"], &format!("<K>{text}</K>")).map(|(shown, _)| shown);
        let shown = shown.as_deref().map(|text| text.strip_prefix("k{").unwrap().strip_suffix('}').unwrap());
        assert_eq!(shown.map_err(|error| *error), expected, "{declaration} {text}");
    }
    // Another's `nil` is an attribute like any other.
    assert_eq!(comes_to("string a", "<A xmlns:i='urn:x' i:nil='true'>x</A>").as_deref(), Ok("a:\"x\""));
    assert_eq!(comes_to("string a", "<A nil='true'>x</A>").as_deref(), Ok("a:\"x\""));
}

#[test]
fn what_no_text_can_stand_for_makes_no_plan() {
    use sluis::domain::grant::Trie;
    use sluis::source::magda::{Plan, PlanError};
    for (declaration, more) in [
        ("double a = 1 [x: \"A\";;", ""),
        ("float a = 1 [x: \"A\";;", ""),
        ("map<string, string> a = 1 [x: \"A\";;", ""),
        ("E a = 1 [x: \"@A\";;", "message E { string b = 1 [x: \"B\";; }"),
        ("E a = 1 [x: \"A\";;", "enum E { NONE = 0; ONE = 1; }"),
        (
            "E a = 1 [x: \"A\";;",
            "enum E { NONE = 0; ONE = 1 [(sluis.options.v1.xml_value) = \"1\"];
                      UNE = 2 [(sluis.options.v1.xml_value) = \"1\"]; }",
        ),
    ] {
        let method = Service { answer: declaration, more, ..Service::default() }.compile();
        let plan = Plan::compile(&method, &Trie::compile(&method.output, &["a"]).unwrap());
        assert_eq!(plan.err(), Some(PlanError::Unsupported("t.Answer.a".into())), "{declaration}");
    }
}
