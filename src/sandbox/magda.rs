//! MAGDA, played: GeefPersoon 02.02 and services of the Crossroads Bank; SOAP 1.1 in the 02.00 envelope, over HTTP/1.1.
//! No signatures and no inscription yet.

use std::{
    borrow::Cow,
    collections::HashMap,
    io,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

use http::{HeaderMap, Method, Request, Response, StatusCode, header::CONTENT_TYPE};
use http_body_util::{BodyExt, Limited};
use hyper::body::Incoming;

use super::{
    body::Script,
    file::persoon,
    journal::{Journal, Played},
    ksz::Ksz,
    magda_trouble,
    operation::{self, GEEF_PERSOON, Operation},
    population::Population,
    reply::{self, Exception},
    server::Source,
    soap::{self, Fault, Question},
    trouble::Trouble,
};

/// Where GeefPersoon listens.
pub const PATH: &str = GEEF_PERSOON.path;

const MAX_REQUEST: usize = 64 * 1024;

/// The service.
pub struct Magda {
    files: HashMap<String, String>,
    ksz: Ksz,
    population: Arc<Population>,
    identifications: Vec<String>,
    journal: Arc<Journal>,
    delay: Duration,
    answers: AtomicU64,
}

impl Magda {
    pub fn new(
        population: Arc<Population>,
        identifications: Vec<String>,
        journal: Arc<Journal>,
        delay: Duration,
    ) -> io::Result<Self> {
        let file = |(household, person)| persoon(&population, household, person);
        let files = population.everybody().map(|both| (both.1.insz.clone(), file(both))).collect();
        let ksz = Ksz::synthetic().map_err(|error| io::Error::new(io::ErrorKind::InvalidData, error))?;
        Ok(Self { files, ksz, population, identifications, journal, delay, answers: AtomicU64::new(0) })
    }

    /// What the service that is asked has to say of whoever has this INSZ now.
    pub fn content(&self, question: &Question, insz: &str) -> Cow<'_, str> {
        if is(question, &GEEF_PERSOON) {
            return self.file(insz).unwrap_or_default().into();
        }
        self.ksz.content(question, insz).into()
    }

    fn file(&self, insz: &str) -> Option<&str> {
        self.files.get(insz).map(String::as_str)
    }

    /// Of whom nobody asked about.
    pub fn someone_else(&self) -> &str {
        self.population.someone_else().map_or("", |(_, person)| &person.insz)
    }

    /// A reference of our own for each answer: in the form of a UUID, but counted.
    pub fn reference(&self) -> String {
        format!("00000000-0000-4000-8000-{:012x}", self.answers.fetch_add(1, Ordering::Relaxed))
    }

    fn settled(&self, question: &Question) -> Response<Script> {
        let insz = question.insz();
        if !is(question, &GEEF_PERSOON) {
            let exceptions = match self.file(insz) {
                Some(_) => self.ksz.exceptions(question, insz),
                None => vec![Exception::UNKNOWN],
            };
            let content =
                if self.file(insz).is_some() { self.ksz.content(question, insz) } else { String::new() };
            return self.xml(question, &reply::Answer { content: &content, exceptions: &exceptions });
        }
        let answer = if let Some(file) = self.file(insz) {
            reply::Answer { content: file, exceptions: &[] }
        } else if let Some(new) = self.population.replacement(insz) {
            let replaced = Exception::replaced(insz, new);
            return self.xml(
                question,
                &reply::Answer { content: self.file(new).unwrap_or_default(), exceptions: &[replaced] },
            );
        } else {
            reply::Answer { content: "", exceptions: &[Exception::UNKNOWN] }
        };
        self.xml(question, &answer)
    }

    fn xml(&self, question: &Question, answer: &reply::Answer) -> Response<Script> {
        xml(StatusCode::OK, reply::answer(question, &self.reference(), answer))
    }

    fn refuse(&self, question: &Question, exception: &Exception) -> Response<Script> {
        xml(StatusCode::OK, reply::refusal(question, &self.reference(), exception))
    }

    /// What is wrong with the question, if anything is.
    fn objection(&self, question: &Question) -> Option<Response<Script>> {
        let date = question.text("Context/Bericht/Tijdstip/Datum");
        let identification = question.text("Context/Bericht/Afzender/Identificatie");
        if !complete(question) {
            return Some(fault("Client", "Het bericht voldoet niet aan het schema"));
        }
        if !is_date(date) {
            return Some(self.refuse(question, &Exception::BAD_DATE));
        }
        if !self.identifications.iter().any(|known| known == identification) {
            return Some(self.refuse(question, &Exception::NO_LEGAL_CONTEXT));
        }
        if !is_insz(question.insz()) {
            return Some(
                self.xml(question, &reply::Answer { content: "", exceptions: &[Exception::BAD_INSZ] }),
            );
        }
        None
    }
}

impl Source for Magda {
    const ALPN: &'static [u8] = b"http/1.1";

    async fn answer(&self, request: Request<Incoming>) -> io::Result<Response<Script>> {
        let (head, body) = request.into_parts();
        let Some(operation) = operation::at(head.uri.path()) else { return Ok(bare(StatusCode::NOT_FOUND)) };
        if let Some(status) = unacceptable(&head.method, &head.headers) {
            return Ok(bare(status));
        }
        let Ok(body) = Limited::new(body, MAX_REQUEST).collect().await else {
            return Ok(bare(StatusCode::PAYLOAD_TOO_LARGE));
        };
        let question = soap::parse(&body.to_bytes(), operation);
        let insz = question.as_ref().ok().map(Question::insz).filter(|insz| !insz.is_empty());
        self.journal.note(Played::Magda, &head.headers, insz)?;
        let question = match question {
            Ok(question) => question,
            Err(Fault::NotXml) => return Ok(fault("Client", "Het bericht is geen XML")),
            Err(Fault::NotSoap) => return Ok(fault("VersionMismatch", "Het bericht is geen SOAP 1.1")),
            Err(Fault::UnknownOperation) => return Ok(fault("Client", "De dienst is niet gekend")),
            Err(Fault::Repeated) => return Ok(fault("Client", "Het bericht voldoet niet aan het schema")),
        };
        if let Some(objection) = self.objection(&question) {
            return Ok(objection);
        }
        match Trouble::of(question.insz()) {
            None => Ok(self.settled(&question)),
            Some(Trouble::Slow) => {
                tokio::time::sleep(self.delay).await;
                Ok(self.settled(&question))
            }
            // The Crossroads Bank tells it by a status of its own.
            Some(Trouble::NotInscribed) if !is(&question, &GEEF_PERSOON) => {
                let exceptions = &[Exception::status("NO_RESULT", "MSG00012")];
                Ok(self.xml(&question, &reply::Answer { content: "", exceptions }))
            }
            Some(trouble) => Ok(magda_trouble::play(self, trouble, &question)),
        }
    }
}

fn is(question: &Question, operation: &Operation) -> bool {
    question.operation.name == operation.name
}

fn unacceptable(method: &Method, headers: &HeaderMap) -> Option<StatusCode> {
    let content_type = headers.get(CONTENT_TYPE).and_then(|value| value.to_str().ok()).unwrap_or_default();
    if method != Method::POST {
        Some(StatusCode::METHOD_NOT_ALLOWED)
    } else if !content_type.to_ascii_lowercase().starts_with("text/xml") {
        Some(StatusCode::UNSUPPORTED_MEDIA_TYPE)
    } else {
        None
    }
}

/// What the schema requires, with the values that this service takes.
fn complete(question: &Question) -> bool {
    let sized = |path, most| (1..=most).contains(&question.text(path).chars().count());
    let Operation { name, version, insz, .. } = *question.operation;
    let fixed = [("Context/Naam", name), ("Context/Versie", version), ("Context/Bericht/Type", "VRAAG")];
    let person = !is(question, &GEEF_PERSOON)
        || matches!(question.text("Vragen/Vraag/Inhoud/Bron"), "RR" | "KSZ")
            && matches!(question.text("Vragen/Vraag/Inhoud/Taal"), "nl" | "fr" | "de" | "en");
    fixed.iter().all(|(path, value)| question.text(path) == *value)
        && sized("Context/Bericht/Tijdstip/Tijd", 18)
        && sized("Context/Bericht/Afzender/Identificatie", 120)
        && sized("Context/Bericht/Afzender/Referte", 36)
        && sized("Vragen/Vraag/Referte", 36)
        && sized(insz, 20)
        && person
}

fn is_date(text: &str) -> bool {
    text.len() == 10 && text.parse::<jiff::civil::Date>().is_ok()
}

/// Eleven digits whose last two are 97 less the remainder modulo 97, in either century.
fn is_insz(text: &str) -> bool {
    let (Some(base), Some(check)) = (text.get(..9), text.get(9..11)) else { return false };
    if text.len() != 11 || !text.bytes().all(|byte| byte.is_ascii_digit()) {
        return false;
    }
    let base = base.parse().unwrap_or(0_u64);
    let check = check.parse().unwrap_or(0_u64);
    97 - base % 97 == check || 97 - (2_000_000_000 + base) % 97 == check
}

/// An HTTP answer that holds XML.
pub fn xml(status: StatusCode, body: impl Into<Script>) -> Response<Script> {
    let mut response = Response::new(body.into());
    *response.status_mut() = status;
    response.headers_mut().insert(CONTENT_TYPE, http::HeaderValue::from_static("text/xml; charset=utf-8"));
    response
}

/// A SOAP 1.1 fault, which travels with status 500.
pub fn fault(code: &str, text: &str) -> Response<Script> {
    xml(StatusCode::INTERNAL_SERVER_ERROR, reply::fault(code, text, ""))
}

fn bare(status: StatusCode) -> Response<Script> {
    let mut response = Response::new(Script::default());
    *response.status_mut() = status;
    response
}
