//! Writes a question of MAGDA: a SOAP 1.1 envelope of the 02.00 family, from the method's descriptor options.
//!
//! Who asks comes from the instrument, never from the caller. The body is in canonical form, so that it can be signed
//! ([`crate::source::signature`]) as it stands.

use bytes::Bytes;
use jiff::Timestamp;
use jiff::tz::TimeZone;
use prost_reflect::{DynamicMessage, FieldDescriptor, Kind, ReflectMessage, Value};
use uuid::Uuid;

use super::answer::is_xml_char;
use super::plan::SOAP;
use crate::domain::instrument::Upstream;
use crate::domain::vocabulary::{Method, xml_value};
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
    /// Writes the question that `request` (protobuf of the method's input message) stands for.
    ///
    /// `reference` identifies it at the source and in the log; `at` is written as Brussels time.
    /// Fails with [`SourceError::Internal`] where the request cannot be read, or the instrument does not say who asks.
    pub fn write(
        method: &Method,
        request: &[u8],
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
                    xml.element("Inhoud", |xml| {
                        let mut content = Content::default();
                        for element in &magda.content {
                            if let Some(text) = value(&element.field, &element.value, &request)? {
                                content.add(xml, &element.path, &text)?;
                            }
                        }
                        content.finish(xml);
                        Ok(())
                    })
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

/// The elements of `Inhoud` in the order of the options; what neighbours share of their paths is opened once.
#[derive(Default)]
struct Content<'a>(Vec<&'a str>);

impl<'a> Content<'a> {
    fn add(&mut self, xml: &mut Xml, path: &'a str, text: &str) -> Result<(), SourceError> {
        let path: Vec<&str> = path.split('/').collect();
        let (last, parents) = path.split_last().ok_or(INTERNAL)?;
        let shared = self.0.iter().zip(parents).take_while(|(open, name)| open == name).count();
        xml.close(self.0.drain(shared..));
        for name in parents.iter().skip(shared) {
            xml.open(name);
            self.0.push(name);
        }
        xml.text(last, text);
        Ok(())
    }

    fn finish(mut self, xml: &mut Xml) {
        xml.close(self.0.drain(..));
    }
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

/// The text of one element; none where its field is absent and nothing stands in its place.
fn value(field: &str, otherwise: &str, request: &DynamicMessage) -> Result<Option<String>, SourceError> {
    if !field.is_empty() {
        let field = request.descriptor().get_field_by_name(field).ok_or(INTERNAL)?;
        if request.has_field(&field) {
            return text(&field, &request.get_field(&field)).map(Some);
        }
    }
    Ok((!otherwise.is_empty()).then(|| otherwise.into()))
}

fn text(field: &FieldDescriptor, value: &Value) -> Result<String, SourceError> {
    match (value, field.kind()) {
        (Value::String(text), _) if text.chars().all(is_xml_char) => Ok(text.clone()),
        (Value::Bool(flag), _) => Ok(u8::from(*flag).to_string()),
        (Value::I32(number), _) => Ok(number.to_string()),
        (Value::I64(number), _) => Ok(number.to_string()),
        (Value::U32(number), _) => Ok(number.to_string()),
        (Value::U64(number), _) => Ok(number.to_string()),
        (Value::EnumNumber(number), Kind::Enum(kind)) => {
            let word = kind.get_value(*number).and_then(|value| xml_value(&value));
            word.map(Into::into).ok_or(SourceError::QuestionMalformed)
        }
        (Value::String(_), _) => Err(SourceError::QuestionMalformed),
        _ => Err(INTERNAL),
    }
}

struct Xml(String);

impl Xml {
    fn open(&mut self, name: &str) {
        self.0.extend(["<", name, ">"]);
    }

    fn close<'a>(&mut self, names: impl DoubleEndedIterator<Item = &'a str>) {
        for name in names.rev() {
            self.0.extend(["</", name, ">"]);
        }
    }

    fn text(&mut self, name: &str, text: &str) {
        self.open(name);
        escape(text, false, &mut self.0);
        self.close([name].into_iter());
    }

    fn element(
        &mut self,
        name: &str,
        content: impl FnOnce(&mut Self) -> Result<(), SourceError>,
    ) -> Result<(), SourceError> {
        self.open(name);
        content(self)?;
        self.close([name].into_iter());
        Ok(())
    }
}
