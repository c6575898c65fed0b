//! Each fault of a file is told with its line and with what to write instead.

use super::{errors, sound, vocabulary};

/// What is replaced by what, and the one fault that it makes.
const FAULTS: &[(&str, &str, &str)] = &[
    // Keys and words.
    ("article =", "artcle =", "33: flow has no key `artcle` (did you mean `article`?)"),
    ("kind = \"protocol\"", "kind = \"treaty\"", "3: `kind` cannot be `treaty` (write one of: "),
    ("text = \"authored\"", "text = 1", "4: `text` is a text: write it in quotes"),
    ("version = \"1\"", "version = \"a b\"", "2: `version` is 1 to 32 of letters"),
    ("\"Voorbeeld\"", "\" \"", "7: `nl` is 1 to 2000 bytes of text"),
    ("en = \"Example\"\n", "", "6: title lacks the key `en`"),
    ("[title]\nnl", "[titel]\nnl", "6: the file has no key `titel` (did you mean `title`?)"),
    ("title = {", "title = 3 #", "26: `title` is a table here"),
    ("[[flow]]", "[flow]", "28: `flow` is a list of tables: write [[flow]]"),
    ("id = \"example\"", "id = \"Example\"", "1: `id` is a name of 1 to 64 of a-z, 0-9 and `-`"),
    ("kind = \"protocol\"", "kind = \"decree\"", "1: the file lacks the key `issuer`"),
    ("article = \"art. 3\"\n", "", "28: flow lacks the key `article`"),
    // Dates.
    (
        "from = 2025-01-01",
        "from = \"2025-01-01\"",
        "11: `from` is a date: write it as 2026-01-31, without quotes",
    ),
    ("from = 2025-01-01", "from = 2025-01-01T00:00:00Z", "11: `from` is a date"),
    ("until = 2025-12-31", "until = 2024-12-31", "12: `until` (2024-12-31) lies before `from` (2025-01-01)"),
    ("until = 2025-12-31", "until = 9999-12-31", "12: a day beyond the calendar"),
    ("from = 2025-01-01\n", "", "10: validity lacks the key `from`"),
    // Parties.
    (
        "kbo = \"0207521503\"",
        "kbo = \"0207521504\"",
        "22: `0207521504`: the check digits of the KBO number are wrong",
    ),
    ("kbo = \"0207521503\"", "kbo = \"0207.521.503\"", "22: `0207.521.503`: a KBO number is ten digits"),
    ("kbo = \"0207521503\"", "kbo = \"0316380841\"", "22: many organisations share this `kbo`: add `ovo`"),
    (
        "kbo = \"0207521503\"",
        "kbo = \"0999999823\"",
        "22: a second party has this `kbo`: tell them apart by `ovo`",
    ),
    ("kbo = \"0207521503\"", "ovo = \"OVO12\"", "22: `OVO12`: an OVO code is `OVO` and six digits"),
    ("kbo = \"0207521503\"\n", "", "29: `city` stands in a flow, so it needs a `kbo`"),
    ("to = [\"city\"]", "to = [\"citty\"]", "30: no party is named `citty` (did you mean `city`?)"),
    ("to = [\"city\"]", "to = [\"source\"]", "30: `source` stands in `from` and in `to`"),
    ("to = [\"city\"]", "to = []", "30: `to` names at least one party"),
    ("to = [\"city\"]", "to = [\"city\", \"city\"]", "30: `to` names `city` twice"),
    ("to = [\"city\"]", "to = \"city\"", "30: `to` is a list here: write it in square brackets"),
    ("name = \"city\"", "name = \"source\"", "20: a second party is named `source`"),
    // Purposes.
    (
        "purpose = \"follow-up\"",
        "purpose = \"folow-up\"",
        "32: no purpose has the id `folow-up` (did you mean `follow-up`?)",
    ),
    // Methods and descriptors.
    (
        "Service.GetHousingFile",
        "Service.GetHousingFiles",
        "31: no method is called `sandbox.housing.v1.HousingService.GetHousingFiles` (did you mean `sandbox.housing.v1.HousingService.GetHousingFile`?)",
    ),
    (
        "descriptors = \"sha256:",
        "descriptors = \"sha256:0",
        "37: the descriptors of sandbox.housing.v1.HousingService.GetHousingFile are other ones: judge the fields anew, then write descriptors = \"sha256:",
    ),
    // Fields.
    (
        "\"file.status\"",
        "\"file.statuss\"",
        "36: \"file.statuss\": sandbox.housing.v1.HousingFile has no such field; nearest: \"status\"",
    ),
    ("\"file.status\"", "\"file.address\", \"file.status\"", "36: `answer` names `file.address` twice"),
    (
        "\"file.status\"",
        "\"file.address.street\"",
        "36: \"file.address\" and \"file.address.street\" open the same field",
    ),
    (
        "request = [\"insz\"]",
        "request = [\"reference_date\"]",
        "35: `request` lacks the data subject's own field: add \"insz\"",
    ),
    (
        "request = [\"insz\"]",
        "request = [\"insz\", \"date\"]",
        "35: \"date\": sandbox.housing.v1.GetHousingFileRequest has no such field",
    ),
    ("request = [\"insz\"]\n", "", "28: flow lacks the key `request`"),
    // Permissions.
    (
        "\"file.status\"",
        "\"file.landlord.name\"",
        "36: \"file.landlord.name\" needs the permission `third_persons`: leave it out, or add \"third_persons\" to `permissions`",
    ),
    ("\"file.status\"", "\"file.remarks\"", "36: \"file.remarks\" needs the permission `free_text`"),
    (
        "\"file.status\"",
        "\"file.address_protection.starts_on\"",
        "36: \"file.address_protection.starts_on\" needs the permission `protected_address`",
    ),
    (
        "request = ",
        "permissions = [\"photo\"]\nrequest = ",
        "35: `permissions` cannot be `photo` (did you mean `photos`?)",
    ),
    (
        "request = ",
        "permissions = [\"history\"]\nrequest = ",
        "35: no field needs the permission `history`: leave it out",
    ),
    // Provenance.
    ("block = \"all\"", "block = \"flow\"", "6: no `provenance` says where `title` comes from"),
    ("block = \"all\"", "block = \"everything\"", "40: `block` cannot be `everything`"),
    ("mark = \"illustrative\"", "mark = \"certain\"", "41: `mark` cannot be `certain`"),
    // Supersession.
    (
        "version = \"1\"",
        "version = \"1\"\nsupersedes = [\"example\"]",
        "3: an instrument does not supersede itself",
    ),
    // Numbers.
    ("version = \"1\"", "version = 1.5", "2: no fractions here: write it in quotes"),
    // TOML itself.
    ("[validity]", "[validity", "10: unclosed table"),
    ("version = \"1\"", "version = \"1\"\nversion = \"2\"", "3: duplicate key"),
    ("\"Voorbeeld\"", "\"Voorbeeld", "7: invalid basic string"),
];

#[test]
fn each_fault_is_told_with_its_line_and_what_to_write() {
    let vocabulary = vocabulary();
    let sound = sound(vocabulary);
    assert_eq!(errors(&sound, vocabulary), [""; 0]);
    for (right, wrong, expected) in FAULTS {
        assert!(sound.contains(right), "{right}");
        let found = errors(&sound.replacen(right, wrong, 1), vocabulary);
        let expected = format!("x.toml:{expected}");
        assert!(found.iter().any(|error| error.starts_with(&expected)), "{wrong}: {expected}\n{found:#?}");
    }
}
