//! A caller: one method of the gateway, over mutual TLS, bytes in and bytes out. For the demo, the audit commands and
//! the tests.

use std::fmt;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use http::header::{AUTHORIZATION, CONTENT_TYPE, TE};
use http::{HeaderMap, HeaderName, HeaderValue, Request};
use tonic::{Code, Status};
use tonic_types::StatusExt;

use super::{Failure, policy};
use crate::frame::{self, Single};
use crate::identity::tls::{self, ALPN_H2};
use crate::source::Connection;

/// The largest answer that is taken, in bytes.
const ANSWER: usize = 64 << 20;

/// A connection to a gateway, with the certificate that it shows.
pub struct Client {
    connection: Connection,
    base: String,
}

/// What the gateway answered.
pub struct Reply {
    /// The message.
    pub message: Bytes,
    /// The index of its entry in the log.
    pub log_index: Option<u64>,
    /// The headers of the response.
    pub headers: HeaderMap,
}

impl fmt::Debug for Reply {
    /// Never the message: it is personal data.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Reply").field("log_index", &self.log_index).finish_non_exhaustive()
    }
}

/// How a call was refused.
#[derive(Debug)]
pub struct Refusal {
    /// The status.
    pub status: Status,
    /// The stable reason, where the gateway gave one.
    pub reason: Option<String>,
    /// The details beside it: field, article, remedy.
    pub metadata: std::collections::HashMap<String, String>,
    /// The index of its entry in the log.
    pub log_index: Option<u64>,
    /// The headers of the response.
    pub headers: HeaderMap,
}

impl Client {
    /// A client of the gateway at `address` (`host:port`). Nothing is connected yet.
    ///
    /// # Errors
    /// Where a file cannot be used.
    pub fn new(address: &str, ca: &Path, certificate: &Path, key: &Path) -> Result<Self, Failure> {
        let own = policy::credentials(certificate, key)?;
        let authorities = tls::certificates(&policy::read(ca)?).map_err(Failure::misconfigured)?;
        let config = tls::client_config(&own, &authorities, &[ALPN_H2]).map_err(Failure::misconfigured)?;
        let base = format!("https://{address}");
        let wrong = || Failure::configuration(format_args!("{address}: write the gateway as host:port"));
        let endpoint = base.parse().map_err(|_| wrong())?;
        let connection = Connection::to(&endpoint, Arc::new(config)).ok_or_else(wrong)?;
        Ok(Self { connection, base })
    }

    /// Calls a method with a message, a bearer token and metadata.
    ///
    /// # Errors
    /// The refusal; `UNAVAILABLE` without a reason where the gateway cannot be reached.
    pub async fn call(
        &self,
        path: &str,
        token: &str,
        metadata: &[(&str, &str)],
        message: &[u8],
    ) -> Result<Reply, Box<Refusal>> {
        let request = self.request(path, token, metadata, message).map_err(Refusal::here)?;
        let answered = tokio::time::timeout(Duration::from_mins(1), self.connection.send(request)).await;
        let Ok(Ok(response)) = answered else { return Err(Refusal::here("the gateway cannot be reached")) };
        let (head, body) = response.into_parts();
        if head.headers.contains_key(frame::STATUS) {
            return Err(Refusal::of(&head.headers, &head.headers));
        }
        let received = frame::receive(body, ANSWER).await.map_err(|_| Refusal::here("the answer broke off"))?;
        let trailers = received.trailers.unwrap_or_default();
        match (trailers.get(frame::STATUS).map(HeaderValue::as_bytes), received.message) {
            (Some(b"0"), Some(message)) => {
                Ok(Reply { message, log_index: index(&head.headers), headers: head.headers })
            }
            _ => Err(Refusal::of(&trailers, &head.headers)),
        }
    }

    fn request(
        &self,
        path: &str,
        token: &str,
        metadata: &[(&str, &str)],
        message: &[u8],
    ) -> Result<Request<Single>, &'static str> {
        let mut request = Request::post(format!("{}{path}", self.base))
            .header(TE, HeaderValue::from_static("trailers"))
            .header(CONTENT_TYPE, frame::CONTENT_TYPE)
            .body(Single::question(message))
            .map_err(|_| "no such path")?;
        let headers = request.headers_mut();
        if !token.is_empty() {
            let bearer =
                HeaderValue::from_str(&format!("Bearer {token}")).map_err(|_| "the token is no text")?;
            headers.insert(AUTHORIZATION, bearer);
        }
        for (name, value) in metadata {
            let name =
                HeaderName::try_from(*name).map_err(|_| "metadata has a name that gRPC does not allow")?;
            let value =
                HeaderValue::from_str(value).map_err(|_| "metadata has a value that gRPC does not allow")?;
            headers.append(name, value);
        }
        Ok(request)
    }
}

impl Refusal {
    fn here(message: &str) -> Box<Self> {
        Box::new(Self {
            status: Status::new(Code::Unavailable, message),
            reason: None,
            metadata: std::collections::HashMap::new(),
            log_index: None,
            headers: HeaderMap::new(),
        })
    }

    fn of(status: &HeaderMap, headers: &HeaderMap) -> Box<Self> {
        let status = Status::from_header_map(status).unwrap_or_else(|| Status::unknown("no status"));
        let info = status.get_details_error_info();
        Box::new(Self {
            reason: info.as_ref().map(|info| info.reason.clone()),
            metadata: info.map(|info| info.metadata).unwrap_or_default(),
            log_index: index(headers),
            headers: headers.clone(),
            status,
        })
    }
}

fn index(headers: &HeaderMap) -> Option<u64> {
    headers.get(crate::rpc::exchange::LOG_INDEX)?.to_str().ok()?.parse().ok()
}
