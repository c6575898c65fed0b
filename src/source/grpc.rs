//! The `grpc` wire: a partner agency that speaks the vocabulary itself. Bytes pass through; nothing of the
//! partner's metadata, trailers or error details does.

use std::time::Duration;

use bytes::Bytes;
use http::header::{CONTENT_TYPE, TE};
use http::{HeaderMap, HeaderName, HeaderValue, Request};

use super::condition::{self, Outcome, Sign};
use super::connection::{Connection, Unanswered};
use super::{Question, Retrieved, SourceError};
use crate::domain::facts::Facts;
use crate::domain::grant::PathError;
use crate::domain::vocabulary::{Method, Way};
use crate::frame::{self, FrameError, Single};
use crate::minimise::probe::Probe;
use crate::minimise::{FilterError, Limits};

const TRACEPARENT: HeaderName = HeaderName::from_static("traceparent");

/// A source that is asked over gRPC.
pub struct GrpcSource {
    connection: Connection,
    base: Box<str>,
    answer_bytes: usize,
}

impl GrpcSource {
    /// A source at `base` (`https://host:port`) whose answers hold at most `answer_bytes` bytes.
    pub fn new(connection: Connection, base: &str, answer_bytes: usize) -> Self {
        Self { connection, base: base.trim_end_matches('/').into(), answer_bytes }
    }

    /// Asks, and reads the facts of the answer.
    ///
    /// # Errors
    /// See [`SourceError`].
    pub async fn retrieve(&self, question: &Question<'_>, left: Duration) -> Result<Retrieved, SourceError> {
        let request = self.request(question, left)?;
        let asked = tokio::time::timeout(left, self.ask(request)).await;
        let answer = asked.map_err(|_| condition::failure(Sign::Silence))??;
        let facts = question.facts.facts(&answer).map_err(|error| match error {
            // More than can be minimised, whatever the configuration takes.
            FilterError::TooLarge => condition::failure(Sign::TooLarge),
            _ => condition::failure(Sign::Unreadable),
        })?;
        Ok(Retrieved { answer, facts })
    }

    fn request(&self, question: &Question<'_>, left: Duration) -> Result<Request<Single>, SourceError> {
        let mut uri = String::with_capacity(self.base.len() + question.method.path.len());
        uri.push_str(&self.base);
        uri.push_str(&question.method.path);
        let trace = HeaderValue::from_str(question.traceparent).map_err(|_| SourceError::Internal)?;
        Request::post(uri)
            .header(TE, HeaderValue::from_static("trailers"))
            .header(CONTENT_TYPE, frame::CONTENT_TYPE)
            .header(frame::TIMEOUT, frame::timeout_value(left))
            .header(TRACEPARENT, trace)
            .body(Single::question(question.body))
            .map_err(|_| SourceError::Internal)
    }

    async fn ask(&self, request: Request<Single>) -> Result<Bytes, SourceError> {
        let response = self.connection.send(request).await.map_err(|unanswered| match unanswered {
            Unanswered::Unsent => condition::failure(Sign::NoConnection),
            Unanswered::BrokenOff => condition::failure(Sign::BrokeOff),
        })?;
        let (head, body) = response.into_parts();
        if head.status != http::StatusCode::OK {
            return Err(condition::failure(Sign::NoGrpc(head.status.as_str())));
        }
        if head.headers.contains_key(frame::STATUS) {
            return outcome(&head.headers, None);
        }
        let received = frame::receive(body, self.answer_bytes).await.map_err(|error| match error {
            FrameError::TooLarge => condition::failure(Sign::TooLarge),
            FrameError::Malformed => condition::failure(Sign::Unreadable),
            FrameError::Broken => condition::failure(Sign::BrokeOff),
        })?;
        outcome(&received.trailers.unwrap_or_default(), received.message)
    }
}

/// What a status means. The partner's own words are not read: they may hold anything.
fn outcome(trailers: &HeaderMap, message: Option<Bytes>) -> Result<Bytes, SourceError> {
    let status = trailers.get(frame::STATUS).and_then(|status| status.to_str().ok()).unwrap_or_default();
    match (status, message) {
        ("0", Some(message)) => Ok(message),
        (status, _) => match condition::meaning(Sign::Grpc(status)) {
            Some(Ok(Outcome::NotFound)) => Ok(Bytes::new()),
            _ => Err(condition::failure(Sign::Grpc(status))),
        },
    }
}

/// Where the facts of a method's answers stand.
pub struct FactProbes {
    returned: Option<Probe>,
    protected_address: Option<Probe>,
    protected_until: Option<Probe>,
}

impl FactProbes {
    /// Those of one method.
    ///
    /// # Errors
    /// Where a fact stands at a place that cannot be probed.
    pub fn of(method: &Method) -> Result<Self, PathError> {
        let probe = |way: &Option<Way>| way.as_ref().map(|way| Probe::compile(&method.output, way)).transpose();
        Ok(Self {
            returned: probe(&method.subject_returned)?,
            protected_address: probe(&method.protected_address)?,
            protected_until: probe(&method.protected_until)?,
        })
    }

    fn facts(&self, answer: &[u8]) -> Result<Facts, FilterError> {
        if answer.is_empty() {
            return Ok(Facts::default());
        }
        let limits = Limits::default();
        // Where an answer names several, it tells of none: whoever judges then refuses, or leaves a protection standing.
        let texts = |probe: &Option<Probe>| match probe {
            None => Ok((None, true)),
            Some(probe) => probe.texts(answer, &limits).map(|texts| match texts.split_first() {
                Some((first, others)) if others.iter().all(|other| other == first) => {
                    (Some(Box::from(*first)), false)
                }
                named => (None, named.is_none()),
            }),
        };
        let protected_address = match &self.protected_address {
            None => false,
            Some(probe) => probe.present(answer, &limits)?,
        };
        let (returned, unnamed) = texts(&self.returned)?;
        Ok(Facts {
            found: true,
            returned,
            unnamed,
            replacement: None,
            protected_address,
            protected_until: if protected_address { texts(&self.protected_until)?.0 } else { None },
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::grant::specimen::everything;

    #[test]
    fn an_answer_that_names_several_people_is_about_none_of_them() {
        let inners = everything().get_field_by_name("inners").unwrap();
        let kind = inners.kind();
        let way = vec![inners, kind.as_message().unwrap().get_field_by_name("name").unwrap()];
        let returned = Some(Probe::compile(&everything(), &way).unwrap());
        let probes = FactProbes { returned, protected_address: None, protected_until: None };
        // `inners` is field 18, `name` field 1.
        for (answer, expected) in [
            (&b"\x92\x01\x03\x0a\x01a"[..], Some("a")),
            (b"\x92\x01\x03\x0a\x01a\x92\x01\x03\x0a\x01a", Some("a")),
            (b"\x92\x01\x03\x0a\x01b\x92\x01\x03\x0a\x01a", None),
        ] {
            assert_eq!(probes.facts(answer).unwrap().returned.as_deref(), expected);
        }
    }
}
