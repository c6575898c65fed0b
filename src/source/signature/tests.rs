use rcgen::{CertificateParams, KeyPair, PKCS_RSA_SHA256, RsaKeySize};
use rustls::pki_types::{CertificateDer, PrivateKeyDer};

use super::canonical::{Scope, canonical};
use super::*;
use crate::source::magda::Limits;

fn form(element: &str, bound: &[(&str, &str)], inclusive: &[&str]) -> Option<String> {
    let mut scope = Scope::default();
    for (prefix, uri) in bound {
        scope.bind(prefix, uri).unwrap();
    }
    canonical(element, &scope, inclusive, 16).ok()
}

#[test]
fn an_element_has_one_form() {
    let bound = [("", "d"), ("a", "A"), ("b", "B")];
    for (element, inclusive, expected) in [
        ("<x/>", &[][..], r#"<x xmlns="d"></x>"#),
        ("<a:x/>", &[], r#"<a:x xmlns:a="A"></a:x>"#),
        ("<a:x><a:y/></a:x>", &[], r#"<a:x xmlns:a="A"><a:y></a:y></a:x>"#),
        ("<a:x xmlns:a='Z'><a:y xmlns:a='Z'/></a:x>", &[], r#"<a:x xmlns:a="Z"><a:y></a:y></a:x>"#),
        ("<a:x><y xmlns=''/></a:x>", &[], r#"<a:x xmlns:a="A"><y></y></a:x>"#),
        ("<x><y xmlns=''/></x>", &[], r#"<x xmlns="d"><y xmlns=""></y></x>"#),
        (
            "<x b:q='1' a:q='2' z='3' c='4'/>",
            &[],
            r#"<x xmlns="d" xmlns:a="A" xmlns:b="B" c="4" z="3" a:q="2" b:q="1"></x>"#,
        ),
        ("<a:x/>", &["b", "", "none"], r#"<a:x xmlns="d" xmlns:a="A" xmlns:b="B"></a:x>"#),
        ("<a:x xml:lang='nl'/>", &[], r#"<a:x xmlns:a="A" xml:lang="nl"></a:x>"#),
        (
            "<a:x>1 &lt; 2 &gt; &amp; \" ' &#13;<!-- no --><![CDATA[<&]]>\r\n</a:x>",
            &[],
            "<a:x xmlns:a=\"A\">1 &lt; 2 &gt; &amp; \" ' &#xD;&lt;&amp;\n</a:x>",
        ),
        (
            "<a:x q='\"&#9;&#10;&lt;&gt;&apos; \t'/>",
            &[],
            "<a:x xmlns:a=\"A\" q=\"&quot;&#x9;&#xA;&lt;>'  \"></a:x>",
        ),
    ] {
        assert_eq!(form(element, &bound, inclusive).as_deref(), Some(expected), "{element}");
    }
    for element in
        ["<z:x/>", "<a:x z:q='1'/>", "<a:x><?pi?></a:x>", "<a:x>&who;</a:x>", "<a:x>", "<a:x q='1' q='2'/>"]
    {
        assert_eq!(form(element, &bound, &[]), None, "{element}");
    }
}

struct Party {
    certificate: CertificateDer<'static>,
    key: PrivateKeyDer<'static>,
}

fn party() -> Party {
    let key = KeyPair::generate_rsa_for(&PKCS_RSA_SHA256, RsaKeySize::_2048).unwrap();
    let certificate = CertificateParams::new(["signer.example".into()]).unwrap().self_signed(&key).unwrap();
    Party { certificate: certificate.der().clone(), key: PrivateKeyDer::try_from(key.serialize_der()).unwrap() }
}

fn message(content: &str) -> String {
    format!(
        r#"<soapenv:Envelope xmlns:soapenv="{SOAP}"><soapenv:Header/><soapenv:Body>{content}</soapenv:Body></soapenv:Envelope>"#
    )
}

fn signer(party: &Party, algorithm: Algorithm, reference: KeyReference) -> Signer {
    Signer::new(&party.key, std::slice::from_ref(&party.certificate), algorithm, reference).unwrap()
}

#[test]
fn what_was_signed_verifies_by_its_key_and_no_other() {
    let (ours, other) = (party(), party());
    let by = |party: &Party| Signatories::of(std::slice::from_ref(&party.certificate)).unwrap();
    let both = Signatories::of(&[other.certificate.clone(), ours.certificate.clone()]).unwrap();
    let unsigned = message("<m:A xmlns:m=\"n\"><B>x &lt; ' \" é</B><C></C></m:A>");
    for algorithm in Algorithm::ALL {
        for reference in [KeyReference::BinaryToken, KeyReference::PathToken, KeyReference::X509Data] {
            let signed = signer(&ours, algorithm, reference).sign(&unsigned).unwrap();
            assert_eq!(by(&ours).verify(&signed, &Limits::default()), Ok(()), "{algorithm:?} {reference:?}");
            assert_eq!(both.verify(&signed, &Limits::default()), Ok(()));
            assert_eq!(by(&other).verify(&signed, &Limits::default()), Err(Unsigned));
        }
    }
    assert_eq!(by(&ours).verify(&unsigned, &Limits::default()), Err(Unsigned));
}

/// Each is an attack that has worked on somebody (signature wrapping, substitution), or a message that two readers
/// could read in two ways.
#[test]
fn what_is_altered_does_not_verify() {
    let ours = party();
    let trusted = Signatories::of(std::slice::from_ref(&ours.certificate)).unwrap();
    let signed = signer(&ours, Algorithm::RsaSha256, KeyReference::BinaryToken)
        .sign(&message("<m:A xmlns:m=\"n\">good</m:A>"))
        .unwrap();
    let whole_body = {
        let from = signed.find("<soapenv:Body").unwrap();
        signed[from..signed.find("</soapenv:Envelope>").unwrap()].to_owned()
    };
    let signature = {
        let from = signed.find("<ds:Signature ").unwrap();
        let until = signed.find("</ds:Signature>").unwrap() + "</ds:Signature>".len();
        signed[from..until].to_owned()
    };
    let evil = whole_body.replace("good", "evil");
    let moved = evil.replace("wsu:Id=\"Body\"", "wsu:Id=\"Evil\"");
    let within = format!("<x>{whole_body}</x></soapenv:Header>");
    let table: [(&str, String); 13] = [
        ("another content", signed.replace("good", "evil")),
        ("a body more", signed.replace(&whole_body, &format!("{whole_body}{moved}"))),
        (
            "the signed body in the header, another in its place",
            signed.replace(&whole_body, &moved).replace("</soapenv:Header>", &within),
        ),
        (
            "the same, with the same id",
            signed.replace(&whole_body, &evil).replace("</soapenv:Header>", &within),
        ),
        ("no id on the body", signed.replace(" wsu:Id=\"Body\"", "")),
        ("two ids on the body", signed.replace(" wsu:Id=\"Body\"", " wsu:Id=\"Body\" Id=\"Evil\"")),
        ("two signatures", signed.replace(&signature, &format!("{signature}{signature}"))),
        ("no signature", signed.replace(&signature, "")),
        ("a signature elsewhere", signed.replace(&signature, "").replace("good", &format!("good{signature}"))),
        ("another digest", signed.replace("<ds:DigestValue>", "<ds:DigestValue>AA")),
        ("a weaker method", signed.replace("xmldsig-more#rsa-sha256", "xmldsig#rsa-sha1")),
        ("a comment in the digest", signed.replace("</ds:DigestValue>", "<!---->AA</ds:DigestValue>")),
        ("a document type", format!("<!DOCTYPE x>{signed}")),
    ];
    for (what, altered) in table {
        assert_ne!(altered, signed, "{what}: altered");
        assert_eq!(trusted.verify(&altered, &Limits::default()), Err(Unsigned), "{what}");
    }
    // What canonicalisation is there to overlook.
    for (what, same) in [
        ("a comment", signed.replace("good", "go<!-- -->od")),
        ("quotes", signed.replace("xmlns:m=\"n\"", "xmlns:m='n'")),
        ("space in a tag", signed.replace("</m:A>", "</m:A >")),
        (
            "a namespace that nobody uses",
            signed.replace("<soapenv:Envelope ", "<soapenv:Envelope xmlns:u=\"u\" "),
        ),
    ] {
        assert_ne!(same, signed, "{what}: altered");
        assert_eq!(trusted.verify(&same, &Limits::default()), Ok(()), "{what}");
    }
}

/// Before a key has signed anything, a document costs no more than its size.
#[test]
fn an_unsigned_document_cannot_make_itself_dear() {
    let ours = party();
    let trusted = Signatories::of(std::slice::from_ref(&ours.certificate)).unwrap();
    let many = |count: usize, one: &dyn Fn(usize) -> String| (0..count).map(one).collect::<Vec<_>>().concat();
    let declarations = |level: usize| many(60, &|n| format!(" xmlns:p{level}x{n}=\"urn:{n}\""));
    let nested = many(40, &|level| format!("<x{}>", declarations(level)));
    let ids = |count| many(count, &|n| format!("<y Id=\"i{n}\"></y>"));
    let sign = |content: &str| {
        signer(&ours, Algorithm::RsaSha256, KeyReference::BinaryToken).sign(&message(content)).unwrap()
    };
    let deep = sign(&format!("{nested}{}", "</x>".repeat(40)));
    assert_eq!(trusted.verify(&deep, &Limits::default()), Err(Unsigned), "bindings");
    // In the body of a signed message they are nobody's business; before a signature there are few.
    let within = sign(&ids(5000));
    assert_eq!(trusted.verify(&within, &Limits::default()), Ok(()));
    let before = within.replace("<wsse:BinarySecurityToken", &format!("{}<wsse:BinarySecurityToken", ids(100)));
    assert_eq!(trusted.verify(&before, &Limits::default()), Err(Unsigned), "ids");
}

#[test]
fn only_rsa_signs_and_verifies() {
    let key = KeyPair::generate().unwrap();
    let certificate = CertificateParams::new([]).unwrap().self_signed(&key).unwrap();
    let chain = [certificate.der().clone()];
    let private = PrivateKeyDer::try_from(key.serialize_der()).unwrap();
    let made = Signer::new(&private, &chain, Algorithm::default(), KeyReference::default());
    assert_eq!(made.err(), Some(SignerError::Key));
    assert_eq!(Signatories::of(&chain).err(), Some(SignatoryError::NotRsa));
    assert_eq!(Signatories::of(&[]).err(), Some(SignatoryError::None));
    assert_eq!(Signatories::of(&[CertificateDer::from(vec![1, 2])]).err(), Some(SignatoryError::Malformed));
    let ours = party();
    assert_eq!(
        Signer::new(&ours.key, &[], Algorithm::default(), KeyReference::default()).err(),
        Some(SignerError::NoCertificate)
    );
}
