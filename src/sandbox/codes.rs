//! Labels of the National Register's codes, as far as the synthetic people use them.

/// Position in the household (information types 140 and 141).
pub fn position(code: &str, male: bool) -> &'static str {
    match (code, male) {
        ("01", _) => "Referentiepersoon",
        ("02", true) => "Echtgenoot",
        ("02", false) => "Echtgenote",
        ("03", true) => "Zoon",
        ("03", false) => "Dochter",
        ("05", true) => "Kleinzoon",
        ("05", false) => "Kleindochter",
        ("06", true) => "Vader",
        ("06", false) => "Moeder",
        ("09", true) => "Broer",
        ("09", false) => "Zus",
        ("13", true) => "Stiefzoon",
        ("13", false) => "Stiefdochter",
        ("15", _) => "Oom",
        ("21", _) => "Partner",
        ("22", _) => "Wettelijk samenwonende",
        _ => "Niet verwant",
    }
}

/// Civil state (information type 120).
pub fn civil_state(code: &str) -> &'static str {
    match code {
        "20" => "Gehuwd",
        "30" => "Weduwstaat",
        "40" => "Gescheiden",
        "51" => "Gescheiden van tafel en bed",
        _ => "Ongehuwd",
    }
}

/// Nationality (information type 031).
pub fn nationality(code: &str) -> &'static str {
    match code {
        "150" => "Belg",
        "123" => "Portugal",
        "128" => "Italië",
        "129" => "Nederland",
        "822" => "Vluchteling van Afghaanse herkomst",
        _ => "Onbepaald",
    }
}

/// Register of inscription (information type 210).
pub fn register(code: &str) -> &'static str {
    match code {
        "1" => "Vreemdelingenregister",
        "BIS" => "Bisregister",
        _ => "Bevolkingsregister",
    }
}
