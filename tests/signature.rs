//! Signatures of SOAP messages against another implementation: what the gateway signs, xmlsec1 verifies, and the other
//! way round. Over the wire: a question arrives signed, and an answer that must be signed counts only if it is.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    reason = "a test may fail loudly"
)]

mod support;

use std::io::Write as _;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use rcgen::{CertificateParams, KeyPair, PKCS_RSA_SHA256, RsaKeySize};
use rustls::pki_types::PrivateKeyDer;
use sluis::source::magda::Limits;
use sluis::source::signature::{Algorithm, KeyReference, Signatories, Signer};
use support::source::Saying;
use support::stage::Stage;
use support::{Ask, PIETER};

const BODY: &str = "http://schemas.xmlsoap.org/soap/envelope/:Body";
const MESSAGE: &str = concat!(
    r#"<?xml version="1.0" encoding="UTF-8"?>"#,
    r#"<soapenv:Envelope xmlns:soapenv="http://schemas.xmlsoap.org/soap/envelope/"><soapenv:Header/><soapenv:Body>"#,
    r#"<m:GeefPersoon xmlns:m="http://magda.vlaanderen.be/persoon/soap/geefpersoon/v02_02"><Verzoek>"#,
    "<Naam>Renée &amp; Zoon &lt;b&gt; \"x\" 'y' &#xD;</Naam><Leeg></Leeg></Verzoek></m:GeefPersoon>",
    "</soapenv:Body></soapenv:Envelope>"
);

/// A key and its certificate, as files and as we use them.
struct Party {
    folder: PathBuf,
    signatories: Signatories,
    key: KeyPair,
    certificate: rcgen::Certificate,
}

impl Party {
    fn new(name: &str) -> Self {
        let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join(format!("signature-{name}"));
        let _ = std::fs::remove_dir_all(&folder);
        std::fs::create_dir_all(&folder).unwrap();
        let key = KeyPair::generate_rsa_for(&PKCS_RSA_SHA256, RsaKeySize::_2048).unwrap();
        let certificate = CertificateParams::new(["signer.example".into()]).unwrap().self_signed(&key).unwrap();
        std::fs::write(folder.join("key.pem"), key.serialize_pem()).unwrap();
        std::fs::set_permissions(folder.join("key.pem"), std::fs::Permissions::from_mode(0o600)).unwrap();
        std::fs::write(folder.join("certificate.pem"), certificate.pem()).unwrap();
        let signatories = Signatories::of(&[certificate.der().clone()]).unwrap();
        Self { folder, signatories, key, certificate }
    }

    fn signer(&self, algorithm: Algorithm, reference: KeyReference) -> Signer {
        let key = PrivateKeyDer::try_from(self.key.serialize_der()).unwrap();
        Signer::new(&key, &[self.certificate.der().clone()], algorithm, reference).unwrap()
    }

    fn file(&self, name: &str) -> String {
        self.folder.join(name).to_str().unwrap().to_owned()
    }

    /// Runs xmlsec1 on a document.
    fn xmlsec1(&self, arguments: &[&str], document: &str) -> Output {
        let file = self.file("document.xml");
        std::fs::write(&file, document).unwrap();
        Command::new("xmlsec1").args(arguments).arg(file).output().unwrap()
    }

    fn verifies(&self, document: &str, id: &str) -> bool {
        let certificate = self.file("certificate.pem");
        let arguments = ["--verify", "--pubkey-cert-pem", &certificate, id, BODY];
        let done = self.xmlsec1(&arguments, document);
        done.status.success()
    }
}

/// Whether xmlsec1 is there; says so past the test harness where it is not.
fn xmlsec1() -> bool {
    let there = Command::new("xmlsec1").arg("--version").output().is_ok();
    if !there {
        let mut terminal = std::io::stderr();
        writeln!(terminal, "skipped: no xmlsec1 (a package of Debian) to hold our signatures against").unwrap();
    }
    there
}

#[test]
fn what_we_sign_another_implementation_verifies() {
    if !xmlsec1() {
        return;
    }
    let (ours, other) = (Party::new("ours"), Party::new("other"));
    for algorithm in [Algorithm::RsaSha256, Algorithm::RsaSha512] {
        for (reference, id) in [
            (KeyReference::BinaryToken, "--id-attr:wsu:Id"),
            (KeyReference::PathToken, "--id-attr:wsu:Id"),
            (KeyReference::X509Data, "--id-attr:Id"),
        ] {
            let id = id.replace("wsu:", "");
            let signed = ours.signer(algorithm, reference).sign(MESSAGE).unwrap();
            assert!(ours.verifies(&signed, &id), "{algorithm:?} {reference:?}: {signed}");
            assert!(!other.verifies(&signed, &id), "{algorithm:?} {reference:?}: by another's key");
            assert!(
                !ours.verifies(&signed.replace("Zoon", "Zonen"), &id),
                "{algorithm:?} {reference:?}: altered"
            );
        }
    }
}

/// A template as another implementation would fill it: other prefixes, other places of namespaces, white space, a list
/// of inclusive prefixes.
fn template(method: &str, digest: &str, inclusive: &str) -> String {
    format!(
        r##"<?xml version="1.0"?>
<S:Envelope xmlns:S="http://schemas.xmlsoap.org/soap/envelope/" xmlns:xs="urn:unused" xmlns:v="urn:v">
  <S:Header>
    <o:Security xmlns:o="http://docs.oasis-open.org/wss/2004/01/oasis-200401-wss-wssecurity-secext-1.0.xsd" S:mustUnderstand="1">
      <Signature xmlns="http://www.w3.org/2000/09/xmldsig#">
        <SignedInfo>
          <CanonicalizationMethod Algorithm="http://www.w3.org/2001/10/xml-exc-c14n#">{inclusive}</CanonicalizationMethod>
          <SignatureMethod Algorithm="{method}"/>
          <Reference URI="#id-7">
            <Transforms><Transform Algorithm="http://www.w3.org/2001/10/xml-exc-c14n#">{inclusive}</Transform></Transforms>
            <DigestMethod Algorithm="{digest}"/>
            <DigestValue/>
          </Reference>
        </SignedInfo>
        <SignatureValue/>
      </Signature>
    </o:Security>
  </S:Header>
  <S:Body xmlns:u="http://docs.oasis-open.org/wss/2004/01/oasis-200401-wss-wssecurity-utility-1.0.xsd" u:Id="id-7">
    <v:Answer b="2"   a='1' xmlns:q="urn:q" q:z="&lt;3&#10;"><Leeg/><!-- a comment --><q:Naam>Ren&#233;e &amp; <![CDATA[<Zoon>]]></q:Naam>
    </v:Answer>
  </S:Body>
</S:Envelope>
"##
    )
}

#[test]
fn what_another_implementation_signs_we_verify() {
    if !xmlsec1() {
        return;
    }
    let (theirs, other) = (Party::new("theirs"), Party::new("stranger"));
    let key = theirs.file("key.pem");
    let output = theirs.file("signed.xml");
    let listed =
        r#"<ec:InclusiveNamespaces xmlns:ec="http://www.w3.org/2001/10/xml-exc-c14n#" PrefixList="xs v"/>"#;
    let more = "http://www.w3.org/2001/04/xmldsig-more#rsa-";
    for (method, digest, inclusive, taken) in [
        (format!("{more}sha256"), "http://www.w3.org/2001/04/xmlenc#sha256", "", true),
        (format!("{more}sha256"), "http://www.w3.org/2001/04/xmlenc#sha256", listed, true),
        (format!("{more}sha512"), "http://www.w3.org/2001/04/xmlenc#sha512", "", true),
        (
            "http://www.w3.org/2000/09/xmldsig#rsa-sha1".to_owned(),
            "http://www.w3.org/2000/09/xmldsig#sha1",
            "",
            false,
        ),
    ] {
        let arguments = ["--sign", "--output", &output, "--privkey-pem", &key, "--id-attr:Id", BODY];
        let done = theirs.xmlsec1(&arguments, &template(&method, digest, inclusive));
        if !done.status.success() && !taken {
            continue; // it signs no SHA-1 either
        }
        assert!(done.status.success(), "{}", String::from_utf8_lossy(&done.stderr));
        let signed = std::fs::read_to_string(&output).unwrap();
        let limits = Limits::default();
        assert_eq!(
            theirs.signatories.verify(&signed, &limits).is_ok(),
            taken,
            "{method} {inclusive}: {signed}"
        );
        assert!(other.signatories.verify(&signed, &limits).is_err(), "{method}: by another's key");
        for (from, to) in [("Zoon", "Zonen"), ("b=\"2\"", "b=\"3\""), ("urn:q", "urn:r")] {
            assert!(signed.contains(from));
            assert!(theirs.signatories.verify(&signed.replace(from, to), &limits).is_err(), "{method}: {from}");
        }
    }
}

/// The gateway's part of the configuration: files of two parties that the test made, beside the target folder.
fn signed(text: &str) -> String {
    let folder = concat!(env!("CARGO_TARGET_TMPDIR"), "/signature-");
    let lines = format!(
        "name = \"rijksregister\"\nsignature = {{ certificate = \"{folder}gateway/certificate.pem\", key = \"{folder}gateway/key.pem\" }}\n\
         answer_signature = \"required\"\nanswer_signer = \"{folder}platform/certificate.pem\""
    );
    text.replace("name = \"rijksregister\"", &lines)
}

fn answer(content: &str) -> String {
    let namespace = "http://magda.vlaanderen.be/persoon/soap/geefpersoon/v02_02";
    format!(
        "<soapenv:Envelope xmlns:soapenv=\"http://schemas.xmlsoap.org/soap/envelope/\"><soapenv:Header/><soapenv:Body>\
         <q:GeefPersoonResponse xmlns:q=\"{namespace}\"><Repliek><Antwoorden><Antwoord>{content}</Antwoord></Antwoorden>\
         </Repliek></q:GeefPersoonResponse></soapenv:Body></soapenv:Envelope>"
    )
}

#[tokio::test]
async fn a_question_is_signed_and_an_answer_counts_only_if_it_is() {
    let (gateway, platform, stranger) = (Party::new("gateway"), Party::new("platform"), Party::new("somebody"));
    let stage = Stage::configured("signed", |text| signed(&text)).await;
    let caller = stage.caller("stad-leuven").await;
    let by = |party: &Party, text: &str| {
        party.signer(Algorithm::RsaSha256, KeyReference::BinaryToken).sign(text).unwrap()
    };
    let good = answer(&format!(
        "<Inhoud><Persoon><INSZ>{PIETER}</INSZ><Naam><Achternamen><Achternaam>Peeters</Achternaam></Achternamen></Naam>\
         </Persoon></Inhoud>"
    ));
    let absent = answer(
        "<Uitzonderingen><Uitzondering><Identificatie>30001</Identificatie><Type>FOUT</Type></Uitzondering>\
         </Uitzonderingen>",
    );
    let fault = "<e:Envelope xmlns:e=\"http://schemas.xmlsoap.org/soap/envelope/\"><e:Body><e:Fault><faultstring>\
                 Exceeded the max throttle rate of 10 within 1000ms</faultstring></e:Fault></e:Body></e:Envelope>";
    for (what, status, text, outcome) in [
        ("signed", 200, by(&platform, &good), "RELEASED"),
        ("signed, after a byte-order mark", 200, format!("\u{feff}{}", by(&platform, &good)), "RELEASED"),
        ("nobody, signed", 200, by(&platform, &absent), "RELEASED"),
        ("not signed", 200, good.clone(), "SOURCE_ANSWER_INVALID"),
        ("nobody, not signed", 200, absent.clone(), "SOURCE_ANSWER_INVALID"),
        ("signed by somebody", 200, by(&stranger, &good), "SOURCE_ANSWER_INVALID"),
        ("altered", 200, by(&platform, &good).replace("Peeters", "Pieters"), "SOURCE_ANSWER_INVALID"),
        ("a fault, which is no answer", 500, fault.to_owned(), "SOURCE_THROTTLED"),
    ] {
        stage.magda.say(Saying::text(status, &text));
        let whole = stage.ask(&caller, &Ask::default()).await;
        assert_eq!(whole.outcome(), outcome, "{what}");
        let question = stage.magda.heard().pop().unwrap();
        let question = std::str::from_utf8(&question.body).unwrap();
        assert!(gateway.signatories.verify(question, &Limits::default()).is_ok(), "{what}: {question}");
    }
}
