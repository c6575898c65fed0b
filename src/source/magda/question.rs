//! Writes a question of MAGDA: a SOAP 1.1 envelope of the 02.00 family, from the method's descriptor options.
//!
//! Who asks comes from the instrument, never from the caller. The body is in canonical form, so that it can be signed
//! ([`crate::source::signature`]) as it stands.

use bytes::Bytes;
use jiff::Timestamp;
use jiff::tz::TimeZone;
use prost_reflect::{DynamicMessage, FieldDescriptor, Value};
use uuid::Uuid;

use super::content::{Node, fill};
use super::plan::SOAP;
use crate::domain::grant::Trie;
use crate::domain::instrument::Upstream;
use crate::domain::vocabulary::Method;
use crate::source::SourceError;
use crate::source::signature::escape;

/// One question, ready to be sent.
pub struct Envelope {
    /// HTTP path of the service at the source.
    pub path: Box<str>,
    /// The document.
    pub body: Bytes,
    /// The number of the data subject, as it is asked about.
    pub asked: Box<str>,
}

impl Envelope {
    /// Writes the question that `request` (protobuf of the method's input message) stands for. What `answer` does not
    /// open is not asked for, as far as the service lets a question say so.
    ///
    /// `reference` identifies it at the source and in the log; `at` is written as Brussels time.
    /// Fails with [`SourceError::Internal`] where the request cannot be read, or the instrument does not say who asks,
    /// and with [`SourceError::QuestionMalformed`] where the request lacks what the service needs.
    pub fn write(
        method: &Method,
        request: &[u8],
        answer: &Trie,
        upstream: &Upstream,
        reference: Uuid,
        at: Timestamp,
    ) -> Result<Self, SourceError> {
        let magda = method.magda.as_ref().ok_or(INTERNAL)?;
        let request = DynamicMessage::decode(method.input.clone(), request).map_err(|_| INTERNAL)?;
        let reference = reference.to_string();
        let service = magda.service.as_str();
        let mut xml = Xml(format!(
            r#"<?xml version="1.0" encoding="UTF-8"?><soapenv:Envelope xmlns:soapenv="{SOAP}"><soapenv:Header/>"#
        ));
        xml.0.extend(["<soapenv:Body><m:", service, r#" xmlns:m=""#]);
        escape(&magda.namespace, true, &mut xml.0);
        xml.0.push_str(r#"">"#);
        xml.element("Verzoek", |xml| {
            xml.element("Context", |xml| {
                xml.text("Naam", &magda.service);
                xml.text("Versie", &magda.version);
                xml.element("Bericht", |xml| message(xml, upstream, &reference, at))
            })?;
            xml.element("Vragen", |xml| {
                xml.element("Vraag", |xml| {
                    xml.text("Referte", &reference);
                    let mut content = Node::default();
                    fill(&mut content, &magda.content, &request, answer)?;
                    let inside = |xml: &mut Xml| {
                        content.write(&mut xml.0);
                        Ok(())
                    };
                    match magda.container.as_str() {
                        "." => inside(xml),
                        "" => xml.element("Inhoud", inside),
                        name => xml.element(name, inside),
                    }
                })
            })
        })?;
        xml.0.extend(["</m:", service, "></soapenv:Body></soapenv:Envelope>"]);
        let asked = subject(&method.subject, &request)?;
        Ok(Self { path: magda.path.as_str().into(), body: xml.0.into(), asked })
    }
}

const INTERNAL: SourceError = SourceError::Internal;

fn message(xml: &mut Xml, upstream: &Upstream, reference: &str, at: Timestamp) -> Result<(), SourceError> {
    let identification = upstream.magda_identification.as_deref().ok_or(INTERNAL)?;
    let brussels = TimeZone::get("Europe/Brussels").map_err(|_| INTERNAL)?;
    let at = at.to_zoned(brussels);
    xml.text("Type", "VRAAG");
    xml.element("Tijdstip", |xml| {
        xml.text("Datum", &at.strftime("%Y-%m-%d").to_string());
        xml.text("Tijd", &at.strftime("%H:%M:%S%.3f").to_string());
        Ok(())
    })?;
    xml.element("Afzender", |xml| {
        xml.text("Identificatie", identification);
        xml.text("Referte", reference);
        if let Some(code) = &upstream.magda_quality_code {
            xml.text("Hoedanigheid", code);
        }
        Ok(())
    })
}

/// The number that stands at the end of the way.
fn subject(way: &[FieldDescriptor], request: &DynamicMessage) -> Result<Box<str>, SourceError> {
    let (first, rest) = way.split_first().ok_or(INTERNAL)?;
    match &*request.get_field(first) {
        Value::String(number) if rest.is_empty() => Ok(number.as_str().into()),
        Value::Message(inner) => subject(rest, inner),
        _ => Err(INTERNAL),
    }
}

struct Xml(String);

impl Xml {
    fn open(&mut self, name: &str) {
        self.0.extend(["<", name, ">"]);
    }

    fn close(&mut self, name: &str) {
        self.0.extend(["</", name, ">"]);
    }

    fn text(&mut self, name: &str, text: &str) {
        self.open(name);
        escape(text, false, &mut self.0);
        self.close(name);
    }

    fn element(
        &mut self,
        name: &str,
        content: impl FnOnce(&mut Self) -> Result<(), SourceError>,
    ) -> Result<(), SourceError> {
        self.open(name);
        content(self)?;
        self.close(name);
        Ok(())
    }
}
