//! Exchanges over HTTP/2: any method of the vocabulary, bytes in and bytes out. Nothing is written per service.

use bytes::Bytes;
use http::header::{AUTHORIZATION, CONTENT_TYPE};
use http::{HeaderMap, HeaderName, HeaderValue, Request, Response};
use http_body_util::Either;
use hyper::body::Incoming;
use jiff::Timestamp;
use std::time::{Duration, Instant};
use tokio::sync::{Semaphore, SemaphorePermit};

use super::admission::Place;
use super::status::status;
use crate::config::Limits;
use crate::disclosure::{Receipt, Refused};
use crate::domain::reason::{Denial, Reason};
use crate::domain::request::Metadata;
use crate::frame::{self, FrameError, Single};
use crate::gateway::{Arrival, Gateway};
use crate::identity::certificate::PeerCertificate;
use crate::telemetry::Meters;

/// The body of a response: one message with its status, or a status alone.
pub type Body = Either<Single, tonic::body::Body>;

/// The index of the entry that stands for a response, in its headers.
pub const LOG_INDEX: HeaderName = HeaderName::from_static("sluis-log-index");
/// The id of that entry.
pub const ENTRY_ID: HeaderName = HeaderName::from_static("sluis-entry-id");

/// Sizes and deadlines of a call.
#[derive(Clone, Copy)]
pub struct Bounds {
    /// Bytes of a request message.
    pub request_bytes: usize,
    /// The longest that an exchange may take.
    pub deadline: Duration,
}

impl Bounds {
    /// As the configuration says.
    pub fn of(limits: &Limits) -> Self {
        Self { request_bytes: limits.request_bytes, deadline: limits.deadline() }
    }
}

/// One connection: who is at its other end, and the place that it holds.
pub struct Session {
    /// The certificate.
    pub peer: PeerCertificate,
    place: Place,
}

impl Session {
    /// A connection that begins.
    pub fn new(peer: PeerCertificate, place: Place) -> Self {
        Self { peer, place }
    }

    /// A place of the holder's own and one of all; no timer where both are free.
    async fn places(&self, left: Duration) -> Option<(SemaphorePermit<'_>, SemaphorePermit<'_>)> {
        if let (Ok(own), Ok(all)) = (self.place.receiving().try_acquire(), RECEIVING.try_acquire()) {
            return Some((own, all));
        }
        let both = async { (self.place.receiving().acquire().await, RECEIVING.acquire().await) };
        match tokio::time::timeout(left, both).await {
            Ok((Ok(own), Ok(all))) => Some((own, all)),
            _ => None,
        }
    }

    /// The request message, within `left`. To be awaited when it is known who sends it.
    pub(super) async fn receive(&self, body: Incoming, limit: usize, left: Duration) -> Result<Bytes, Denial> {
        let began = Instant::now();
        let Some(_places) = self.places(left).await else {
            return Err(Denial::from(Reason::SourceTooSlow).because(BUSY));
        };
        let received = frame::receive(body, limit);
        match tokio::time::timeout(left.saturating_sub(began.elapsed()), received).await {
            Ok(Ok(received)) => Ok(received.message.unwrap_or_default()),
            Ok(Err(FrameError::TooLarge)) => Err(Reason::MessageTooLarge.into()),
            Ok(Err(FrameError::Malformed | FrameError::Broken)) | Err(_) => {
                Err(Reason::RequestMalformed.into())
            }
        }
    }
}

/// Messages that are received at once, over all callers; each has its own part. With the bytes of one this bounds what
/// callers can have us hold. The others wait, within their deadline, before the first byte.
static RECEIVING: Semaphore = Semaphore::const_new(1024);
const BUSY: &str = "too many messages were being received: nobody was asked";

/// How long a caller waits, at most as long as `deadline`.
pub(super) fn left(headers: &HeaderMap, deadline: Duration) -> Duration {
    frame::timeout(headers).map_or(deadline, |asked| asked.min(deadline))
}

/// Serves one exchange.
pub async fn serve(
    gateway: &Gateway,
    meters: &Meters,
    session: &Session,
    bounds: Bounds,
    request: Request<Incoming>,
) -> Response<Body> {
    let at = (gateway.clock)();
    let (head, body) = request.into_parts();
    let arrival = arrival(at, head.uri.path(), &head.headers, left(&head.headers, bounds.deadline));
    let message = session.receive(body, bounds.request_bytes, arrival.left);
    let done = gateway.exchange(&session.peer, arrival, message).await;
    let took = (gateway.clock)().as_microsecond().saturating_sub(at.as_microsecond());
    let outcome = done.as_ref().map(|_| ()).map_err(|refused| refused.denial().reason);
    meters.count(outcome, u64::try_from(took).unwrap_or_default());
    match done {
        Ok(released) => {
            let receipt = *released.receipt();
            answer(&released.into_message(), &receipt)
        }
        Err(refused) => refusal(&refused),
    }
}

/// What a call brings, apart from its transport.
pub fn arrival<'a>(at: Timestamp, path: &'a str, headers: &'a HeaderMap, left: Duration) -> Arrival<'a> {
    Arrival {
        at,
        path,
        metadata: metadata(headers),
        bearer: text(headers, AUTHORIZATION.as_str()).and_then(|value| value.strip_prefix("Bearer ")),
        on_behalf_of: text(headers, "sluis-on-behalf-of"),
        left,
    }
}

fn metadata(headers: &HeaderMap) -> Metadata {
    let own = |name: &str| text(headers, name).map(Into::into);
    Metadata {
        protocol: own("sluis-protocol"),
        purpose: own("sluis-purpose"),
        case: own("sluis-case"),
        fields: own("sluis-fields"),
        request_id: own("sluis-request-id"),
        trace_id: text(headers, "traceparent").and_then(trace_id).map(Into::into),
    }
}

/// A header that stands once. What stands twice (which one was meant?) or is no text reads as empty: that is malformed
/// wherever it matters, while an absent one may mean the usual.
fn text<'a>(headers: &'a HeaderMap, name: &str) -> Option<&'a str> {
    let mut values = headers.get_all(name).iter();
    match (values.next()?, values.next()) {
        (value, None) => Some(value.to_str().unwrap_or_default()),
        _ => Some(""),
    }
}

/// The trace id of a `traceparent` (W3C Trace Context, 3.2.2). A version to come is read as far as version 00 goes.
fn trace_id(traceparent: &str) -> Option<&str> {
    let (fields, more) = traceparent.split_at_checked(55)?;
    let mut fields = fields.split('-');
    let [version, id, parent, flags] = [fields.next()?, fields.next()?, fields.next()?, fields.next()?];
    let hexadecimal = |text: &str, length| {
        text.len() == length && text.bytes().all(|b| b.is_ascii_digit() || (b'a'..=b'f').contains(&b))
    };
    let told = |text: &str, length| hexadecimal(text, length) && text.bytes().any(|b| b != b'0');
    let complete = match version {
        "00" => more.is_empty(),
        "ff" => false,
        _ => hexadecimal(version, 2) && (more.is_empty() || more.starts_with('-')),
    };
    (complete && told(id, 32) && told(parent, 16) && hexadecimal(flags, 2)).then_some(id)
}

/// A message that may leave, and where the log says so.
pub(super) fn answer(message: &[u8], receipt: &Receipt) -> Response<Body> {
    let mut response = Response::new(Either::Left(Single::answer(message)));
    response.headers_mut().insert(CONTENT_TYPE, frame::CONTENT_TYPE);
    name_entry(response.headers_mut(), receipt);
    response
}

/// A refusal as a status.
pub(super) fn refusal(refused: &Refused) -> Response<Body> {
    let mut response = status(refused).into_http::<tonic::body::Body>().map(Either::Right);
    if let Some(receipt) = refused.receipt() {
        name_entry(response.headers_mut(), receipt);
    }
    response
}

fn name_entry(headers: &mut HeaderMap, receipt: &Receipt) {
    headers.insert(LOG_INDEX, HeaderValue::from(receipt.index));
    let mut id = [0; uuid::fmt::Hyphenated::LENGTH];
    if let Ok(id) = HeaderValue::from_str(receipt.entry_id.hyphenated().encode_lower(&mut id)) {
        headers.insert(ENTRY_ID, id);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_well_formed_trace_is_taken() {
        for (text, expected) in [
            (
                "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01",
                Some("0af7651916cd43dd8448eb211c80319c"),
            ),
            ("00-00000000000000000000000000000000-b7ad6b7169203331-01", None),
            ("00-0AF7651916CD43DD8448EB211C80319C-b7ad6b7169203331-01", None),
            (
                "01-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01-more",
                Some("0af7651916cd43dd8448eb211c80319c"),
            ),
            ("01-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01more", None),
            ("00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01-more", None),
            ("ff-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01", None),
            ("00-0af7651916cd43dd8448eb211c80319c-0000000000000000-01", None),
            ("00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-0x", None),
            ("00-85673003360", None),
            ("", None),
        ] {
            assert_eq!(trace_id(text), expected, "{text}");
        }
    }

    #[test]
    fn a_header_that_stands_twice_is_not_an_absent_one() {
        let mut headers = HeaderMap::new();
        assert_eq!(text(&headers, "sluis-fields"), None);
        headers.append("sluis-fields", HeaderValue::from_static("a"));
        assert_eq!(text(&headers, "sluis-fields"), Some("a"));
        headers.append("sluis-fields", HeaderValue::from_static("b"));
        assert_eq!(text(&headers, "sluis-fields"), Some(""));
    }
}
