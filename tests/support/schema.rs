//! Questions held against the platform's own schemas, where they lie beside the project.

use std::path::Path;
use std::process::Command;

use sluis::domain::vocabulary::Method;

use super::document::official;

/// Services whose schemas are known to lie there: a missing one is a fault.
const PUBLISHED: [&str; 4] =
    ["GeefPersoon", "GeefSociaalStatuut", "GeefLeefloonbedragen", "GeefDossierHandicap"];

/// Fails unless the question fits its schema, if there is one. `folder` takes the document.
pub fn validate(folder: &Path, method: &Method, envelope: &str, subject: &str) {
    let Some(cases) = official() else { return };
    let magda = method.magda.as_ref().unwrap();
    let (service, version) = (&magda.service, &magda.version[..5]);
    let schema = cases.join(format!("../xsd/{service}Dienst-{version}/WebService/{service}.xsd"));
    if !schema.is_file() {
        assert!(!PUBLISHED.contains(&service.as_str()), "{} is missing", schema.display());
        return;
    }
    let body = envelope.split_once("<soapenv:Body").unwrap().1.split_once('>').unwrap().1;
    let body = body.split_once("</soapenv:Body>").unwrap().0;
    // The Crossroads Bank's own type of a number has no room for test numbers: this one has its form.
    let body = body.replace(subject, "85073003328");
    let judge = |body: &str| {
        let file = folder.join("question.xml");
        std::fs::write(&file, body).unwrap();
        Command::new("xmllint").arg("--noout").arg("--schema").arg(&schema).arg(&file).output().unwrap()
    };
    let judged = judge(&body);
    assert!(judged.status.success(), "{}\n{body}", String::from_utf8_lossy(&judged.stderr));
    let wrong = body.replace("</Criteria>", "<Meer/></Criteria>");
    assert!(wrong != body && !judge(&wrong).status.success(), "the schema is really held against it");
}
