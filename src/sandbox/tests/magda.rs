//! MAGDA from outside.

use super::*;

type Case = (fn(&population::Person) -> bool, &'static [&'static str]);

fn balanced(text: &str) -> bool {
    let mut reader = quick_xml::Reader::from_str(text);
    loop {
        match reader.read_event() {
            Ok(quick_xml::events::Event::Eof) => return true,
            Ok(_) => {}
            Err(_) => return false,
        }
    }
}

#[tokio::test]
async fn magda_gives_whole_files() {
    let world = world(None).await;
    let widow = someone(|person| person.first == ["Jeannette"]);
    let seen = world.magda(&widow).await;
    assert_eq!(seen.status, StatusCode::OK);
    assert_eq!(seen.headers["content-type"], "text/xml; charset=utf-8");
    assert!(balanced(seen.text()));
    for part in [
        "<Identificatie>vip.vlaanderen.be</Identificatie>",
        &format!("<Ontvanger><Identificatie>{KNOWN}</Identificatie><Referte>afzender-1</Referte></Ontvanger>"),
        "<Antwoord><Referte>vraag-1</Referte><Inhoud><Persoon ",
        &format!("<INSZ>{widow}</INSZ>"),
        "<Achternaam>Schuermans</Achternaam>",
        "<Postcode>3000</Postcode>",
        "<Code>30</Code><Omschrijving>Weduwstaat</Omschrijving>",
        "<Contactgegevens",
    ] {
        assert!(seen.text().contains(part), "{part}");
    }
    let cases: [Case; 5] = [
        (|person| person.deceased.is_some(), &["<Overlijden", "<Begraving", "<Code>99990</Code>"]),
        (|person| person.protected.is_some(), &["</Hoofdverblijfplaats><NietMededeelbaarAdres"]),
        (|person| person.born().ends_with("00-00"), &["<Datum>1985-00-00</Datum>", "<WettigVerblijf "]),
        (|person| person.register == "BIS", &["<ContactAdres"]),
        (|person| person.first == ["Heidi"], &["<VerblijfplaatsBuitenland", "<Referentiepersoon", "<Partner>"]),
    ];
    for (what, parts) in cases {
        let seen = world.magda(&someone(what)).await;
        for part in parts {
            assert!(seen.text().contains(part), "{part}");
        }
    }
}

#[tokio::test]
async fn magda_answers_with_exceptions() {
    let world = world(None).await;
    let code = |code: &str, kind: &str| {
        (format!("<Identificatie>{code}</Identificatie>"), format!("<Type>{kind}</Type>"))
    };
    let old = population().unwrap().everybody().find_map(|(_, person)| person.replaces.clone()).unwrap();
    let new = someone(|person| person.replaces.is_some());
    let known = someone(|_| true);
    let cases = [
        (question("62710512470", KNOWN), code("30001", "FOUT"), false),
        (question(&old, KNOWN), code("30004", "WAARSCHUWING"), true),
        (question("62710512471", KNOWN), code("20002", "FOUT"), false),
        (question("6271051247", KNOWN), code("20002", "FOUT"), false),
        (question(&known, "elders.example"), code("40001", "FOUT"), false),
        (question(&known, KNOWN).replace("2026-11-22", "2026-13-22"), code("20001", "FOUT"), false),
    ];
    for (body, (code, kind), found) in cases {
        let seen = world.post(MAGDA_PATH, "text/xml", &body).await;
        assert_eq!(seen.status, StatusCode::OK);
        assert!(seen.text().contains(&code) && seen.text().contains(&kind), "{code}");
        assert_eq!(seen.text().contains("<Persoon "), found, "{code}");
    }
    let replaced = world.magda(&old).await;
    assert!(replaced.text().contains(&format!("<Waarde>{old}</Waarde>")));
    assert!(replaced.text().contains(&format!("<INSZ>{new}</INSZ>")));
}

#[tokio::test]
async fn magda_faults_on_what_is_no_question() {
    let world = world(None).await;
    let good = question(&someone(|_| true), KNOWN);
    for body in [
        "no xml".to_owned(),
        format!("<!DOCTYPE s>{good}"),
        good.replace("VRAAG", "ANTWOORD"),
        good.replace("v02_02", "v1"),
    ] {
        let seen = world.post(MAGDA_PATH, "text/xml", &body).await;
        assert_eq!(seen.status, StatusCode::INTERNAL_SERVER_ERROR);
        assert!(seen.text().contains("<soapenv:Fault>") && !seen.text().contains("<Persoon"));
    }
    assert_eq!(world.post("/elders", "text/xml", &good).await.status, StatusCode::NOT_FOUND);
    assert_eq!(
        world.post(MAGDA_PATH, "application/json", &good).await.status,
        StatusCode::UNSUPPORTED_MEDIA_TYPE
    );
    let large = " ".repeat(70_000) + &good;
    assert_eq!(world.post(MAGDA_PATH, "text/xml", &large).await.status, StatusCode::PAYLOAD_TOO_LARGE);
}

#[tokio::test]
async fn magda_misbehaves() {
    let world = world(None).await;
    let other = population()
        .unwrap()
        .someone_else()
        .map(|(_, person)| format!("<INSZ>{}</INSZ>", person.insz))
        .unwrap();
    for trouble in Trouble::ALL {
        let seen = world.magda(trouble.insz()).await;
        let own = format!("<INSZ>{}</INSZ>", trouble.insz());
        let text = String::from_utf8_lossy(&seen.body);
        let right = match trouble {
            Trouble::Slow => text.contains(&own),
            Trouble::SoapFault => seen.status == 500 && text.contains("<faultstring>"),
            Trouble::ServerError => seen.status == 500 && !text.contains("soap"),
            Trouble::Unavailable => text.contains("</Context><Uitzonderingen>") && text.contains("99996"),
            Trouble::NotInscribed => text.contains("</Context><Uitzonderingen>") && text.contains("40003"),
            Trouble::AccessRefused => text.contains("</Context><Uitzonderingen>") && text.contains("40005"),
            Trouble::Throttled => seen.status == 500 && text.contains("throttle rate of 10 within 1000ms"),
            Trouble::Garbage => seen.status == 200 && !text.contains("soapenv"),
            Trouble::Truncated => !seen.broken && text.contains(&own) && !text.contains("</Persoon>"),
            Trouble::Expansion => text.contains("<!DOCTYPE") && text.contains("&e9;") && text.len() < 10_000,
            Trouble::Huge => seen.body.len() > 32 << 20 && text.ends_with("</soapenv:Envelope>"),
            Trouble::SomeoneElse => text.contains(&other) && !text.contains(&own),
            Trouble::TwoPeople => text.contains(&other) && text.contains(&own),
            Trouble::Undeclared => balanced(&text) && text.matches(UNDECLARED).count() > 100,
            Trouble::PersonalStatus => seen.headers["x-persoon"] == UNDECLARED && text.contains(UNDECLARED),
            Trouble::Closed => seen.broken && text.contains(&own),
            Trouble::InvalidUtf8 => text.contains(&own) && std::str::from_utf8(&seen.body).is_err(),
        };
        assert!(right, "{trouble:?}");
    }
}
