//! Replies in MAGDA's 02.00 envelope: answers, exceptions on both levels, and SOAP faults.

use super::{
    soap::{ENVELOPE, Question},
    trouble::UNDECLARED,
    xml::Xml,
};

/// The sandbox has no clock: all its answers are of this moment.
const DATE: &str = "2026-01-15";
const TIME: &str = "09:30:00.000";

/// What stands in `Antwoord`: content, such as one or more `Persoon` elements (or none), and exceptions.
pub struct Answer<'a> {
    pub content: &'a str,
    pub exceptions: &'a [Exception],
}

/// One `Uitzondering`.
pub struct Exception {
    code: &'static str,
    origin: &'static str,
    severity: &'static str,
    diagnosis: &'static str,
    circumstance: &'static str,
    annotations: Vec<(&'static str, String)>,
}

impl Exception {
    pub const UNKNOWN: Self = Self::error("30001", "RR", "Geen gegevens gevonden voor de vraag");
    pub const BAD_DATE: Self = Self::error("20001", "MAGDA", "De datum is niet correct");
    pub const BAD_INSZ: Self = Self::error("20002", "MAGDA", "De structuur van het INSZ is niet correct");
    pub const NO_LEGAL_CONTEXT: Self =
        Self::error("40001", "MAGDA", "Geen geldige wettelijke context opgegeven");
    pub const NOT_INSCRIBED: Self = Self::error("40003", "MAGDA", "Er is geen inschrijving voor het INSZ");
    pub const ACCESS_REFUSED: Self = Self::error("40005", "MAGDA", "De toegang is geweigerd");
    pub const UNAVAILABLE: Self = Self::error("99996", "MAGDA", "De bron is tijdelijk niet beschikbaar");

    /// The number was replaced, and the answer is about the new one.
    pub fn replaced(old: &str, new: &str) -> Self {
        Self {
            code: "30004",
            origin: "MAGDA",
            severity: "WAARSCHUWING",
            diagnosis: "Het INSZ is vervangen",
            circumstance: "",
            annotations: vec![("OudINSZ", old.to_owned()), ("NieuwINSZ", new.to_owned())],
        }
    }

    const fn error(code: &'static str, origin: &'static str, diagnosis: &'static str) -> Self {
        // Sources do write about people here; nothing of it may pass.
        Self { code, origin, severity: "FOUT", diagnosis, circumstance: UNDECLARED, annotations: Vec::new() }
    }

    /// A status of the Crossroads Bank: its value and code.
    pub fn status(value: &'static str, code: &str) -> Self {
        let (number, severity) = match value {
            "NO_RESULT" => ("70002", "FOUT"),
            _ => ("70001", "WAARSCHUWING"),
        };
        Self {
            code: number,
            origin: "KSZ",
            severity,
            diagnosis: "De KSZ antwoordde met een status",
            circumstance: value,
            annotations: vec![("status code", code.to_owned())],
        }
    }

    fn write(&self, xml: &mut Xml) {
        xml.element("Uitzondering", &[], |xml| {
            xml.text("Identificatie", self.code);
            xml.text("Oorsprong", self.origin);
            xml.text("Type", self.severity);
            moment(xml);
            xml.text("Diagnose", self.diagnosis);
            if !self.circumstance.is_empty() {
                xml.text("Omstandigheid", self.circumstance);
            }
            if !self.annotations.is_empty() {
                xml.element("Annotaties", &[], |xml| {
                    for (name, value) in &self.annotations {
                        xml.element("Annotatie", &[], |xml| {
                            xml.text("Naam", name);
                            xml.text("Waarde", value);
                        });
                    }
                });
            }
        });
    }
}

/// A reply with an answer, whatever that holds.
pub fn answer(question: &Question, reference: &str, answer: &Answer) -> String {
    envelope(question, reference, |xml| {
        xml.element("Antwoorden", &[], |xml| {
            xml.element("Antwoord", &[], |xml| {
                xml.text("Referte", question.text("Vragen/Vraag/Referte"));
                if !answer.content.is_empty() {
                    xml.element("Inhoud", &[], |xml| xml.raw(answer.content));
                }
                exceptions(xml, answer.exceptions);
            });
        });
    })
}

/// A reply that refuses the whole message.
pub fn refusal(question: &Question, reference: &str, exception: &Exception) -> String {
    envelope(question, reference, |xml| exceptions(xml, std::slice::from_ref(exception)))
}

/// A SOAP 1.1 fault. `detail` is XML.
pub fn fault(code: &str, text: &str, detail: &str) -> String {
    soap(|xml| {
        xml.element("soapenv:Fault", &[], |xml| {
            xml.text("faultcode", &format!("soapenv:{code}"));
            xml.text("faultstring", text);
            if !detail.is_empty() {
                xml.element("detail", &[], |xml| xml.raw(detail));
            }
        });
    })
}

fn envelope(question: &Question, reference: &str, content: impl FnOnce(&mut Xml)) -> String {
    soap(|xml| {
        let operation = question.operation;
        let name = format!("web:{}Response", operation.name);
        xml.element(&name, &[("xmlns:web", operation.namespace)], |xml| {
            xml.element("Repliek", &[], |xml| {
                context(xml, question, reference);
                content(xml);
            });
        });
    })
}

fn soap(content: impl FnOnce(&mut Xml)) -> String {
    let mut xml = Xml::default();
    xml.raw(r#"<?xml version="1.0" encoding="UTF-8"?>"#);
    xml.element("soapenv:Envelope", &[("xmlns:soapenv", ENVELOPE)], |xml| {
        xml.element("soapenv:Header", &[], |_| {});
        xml.element("soapenv:Body", &[], content);
    });
    xml.finish()
}

fn context(xml: &mut Xml, question: &Question, reference: &str) {
    let sender = |part| question.text(part);
    xml.element("Context", &[], |xml| {
        xml.text("Naam", question.operation.name);
        xml.text("Versie", question.operation.version);
        xml.element("Bericht", &[], |xml| {
            xml.text("Type", "ANTWOORD");
            moment(xml);
            xml.element("Afzender", &[], |xml| {
                xml.text("Identificatie", "vip.vlaanderen.be");
                xml.text("Naam", "MagdaGateway");
                xml.text("Referte", reference);
            });
            xml.element("Ontvanger", &[], |xml| {
                xml.text("Identificatie", sender("Context/Bericht/Afzender/Identificatie"));
                xml.text("Referte", sender("Context/Bericht/Afzender/Referte"));
                let capacity = sender("Context/Bericht/Afzender/Hoedanigheid");
                if !capacity.is_empty() {
                    xml.text("Hoedanigheid", capacity);
                }
            });
        });
    });
}

fn exceptions(xml: &mut Xml, exceptions: &[Exception]) {
    if !exceptions.is_empty() {
        xml.element("Uitzonderingen", &[], |xml| exceptions.iter().for_each(|exception| exception.write(xml)));
    }
}

fn moment(xml: &mut Xml) {
    xml.element("Tijdstip", &[], |xml| {
        xml.text("Datum", DATE);
        xml.text("Tijd", TIME);
    });
}
