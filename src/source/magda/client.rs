//! Asks MAGDA: one POST over mutual TLS, HTTP/1.1, connections pooled.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use http::header::{CONTENT_TYPE, HeaderName, HeaderValue};
use http::{Method, Request, Response, StatusCode, Uri};
use http_body_util::{BodyExt, Full};
use hyper::body::Incoming;
use hyper_rustls::{HttpsConnector, HttpsConnectorBuilder};
use hyper_util::client::legacy::Client;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::{TokioExecutor, TokioTimer};
use rustls::ClientConfig;

use super::answer::{Limits, text};
use super::exception::Failure;
use super::plan::Plan;
use super::question::Envelope;
use crate::domain::causes::causes;
use crate::source::condition::{self, Sign};
use crate::source::signature::{Signatories, Signer};
use crate::source::{Retrieved, SourceError};

/// One endpoint of MAGDA, or of a source that speaks as MAGDA does.
#[derive(Clone)]
pub struct MagdaSource {
    client: Client<HttpsConnector<HttpConnector>, Full<Bytes>>,
    base: Uri,
    limits: Limits,
    signer: Option<Arc<Signer>>,
    signatories: Option<Signatories>,
}

/// The endpoint is no `https` address without path.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct EndpointError;

impl std::fmt::Display for EndpointError {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("the endpoint of a MAGDA source must be https://host[:port]")
    }
}

impl std::error::Error for EndpointError {}

const CONNECT: Duration = Duration::from_secs(5);
const IDLE: Duration = Duration::from_mins(1);
/// Bytes of a body that are kept in one piece while it comes in.
const BLOCK: usize = 64 * 1024;

impl MagdaSource {
    /// A source at `base` (`https://host[:port]`); `tls` holds the client certificate and the roots.
    pub fn new(base: &Uri, mut tls: ClientConfig, limits: Limits) -> Result<Self, EndpointError> {
        let plain = base.path() == "/" && base.query().is_none();
        if base.scheme_str() != Some("https") || base.host().is_none() || !plain {
            return Err(EndpointError);
        }
        let mut tcp = HttpConnector::new();
        tcp.enforce_http(false);
        tcp.set_connect_timeout(Some(CONNECT));
        tcp.set_nodelay(true);
        tls.alpn_protocols.clear(); // the connector sets them, and panics on others
        let connector =
            HttpsConnectorBuilder::new().with_tls_config(tls).https_only().enable_http1().wrap_connector(tcp);
        let client = Client::builder(TokioExecutor::new())
            .pool_timer(TokioTimer::new())
            .pool_idle_timeout(IDLE)
            .build(connector);
        Ok(Self { client, base: base.clone(), limits, signer: None, signatories: None })
    }

    /// Signs each question.
    #[must_use]
    pub fn signing(mut self, signer: Arc<Signer>) -> Self {
        self.signer = Some(signer);
        self
    }

    /// Takes no answer that is not signed by one of these. (A fault is no answer: nothing of it goes on.)
    #[must_use]
    pub fn signed_by(mut self, signatories: Signatories) -> Self {
        self.signatories = Some(signatories);
        self
    }

    /// Asks once and reads the answer by `plan`. `deadline` bounds everything from connecting to the last byte. Only `traceparent` travels along.
    pub async fn retrieve(
        &self,
        question: &Envelope,
        plan: &Plan,
        deadline: Duration,
        traceparent: &str,
    ) -> Result<Retrieved, Failure> {
        let request = self.request(question, traceparent)?;
        let exchange = async {
            let response = self.client.request(request).await;
            let response = response.map_err(|error| {
                if error.is_connect() {
                    tracing::warn!(source = %self.base, error = causes(&error), "a source cannot be reached");
                    return condition::failure(Sign::NoConnection);
                }
                condition::failure(Sign::BrokeOff)
            })?;
            let status = response.status();
            Ok::<_, SourceError>((status, self.body(response).await?))
        };
        let answered = tokio::time::timeout(deadline, exchange).await;
        let (status, body) = answered.map_err(|_| condition::failure(Sign::Silence))??;
        self.judge(status, &body, plan, &question.asked)
    }

    fn request(&self, question: &Envelope, traceparent: &str) -> Result<Request<Full<Bytes>>, SourceError> {
        let mut parts = self.base.clone().into_parts();
        parts.path_and_query = Some(question.path.parse().map_err(|_| SourceError::Internal)?);
        let uri = Uri::from_parts(parts).map_err(|_| SourceError::Internal)?;
        let body = match &self.signer {
            None => question.body.clone(),
            Some(signer) => {
                let envelope = std::str::from_utf8(&question.body).map_err(|_| SourceError::Internal)?;
                signer.sign(envelope).map_err(|_| SourceError::Internal)?.into()
            }
        };
        Request::builder()
            .method(Method::POST)
            .uri(uri)
            .header(CONTENT_TYPE, "text/xml; charset=utf-8")
            .header(HeaderName::from_static("soapaction"), HeaderValue::from_static("\"\""))
            .header(HeaderName::from_static("traceparent"), traceparent)
            .body(Full::new(body))
            .map_err(|_| SourceError::Internal)
    }

    /// The body, counted while it streams in. Its type, length and encoding are not taken from the headers.
    async fn body(&self, response: Response<Incoming>) -> Result<Bytes, SourceError> {
        let mut incoming = response.into_body();
        // Put together once all of it is here: a buffer that grows by doubling leaves as much again behind.
        let mut blocks: Vec<Vec<u8>> = Vec::new();
        let mut length = 0;
        while let Some(frame) = incoming.frame().await {
            let frame = frame.map_err(|_| condition::failure(Sign::BrokeOff))?;
            let Ok(chunk) = frame.into_data() else { continue };
            length += chunk.len();
            if length > self.limits.body {
                return Err(condition::failure(Sign::TooLarge));
            }
            if blocks.last().is_none_or(|block| block.capacity() - block.len() < chunk.len()) {
                blocks.push(Vec::with_capacity(chunk.len().max(BLOCK)));
            }
            if let Some(block) = blocks.last_mut() {
                block.extend_from_slice(&chunk);
            }
        }
        match <[Vec<u8>; 1]>::try_from(blocks) {
            Ok([whole]) => Ok(whole.into()),
            Err(blocks) => Ok(blocks.concat().into()),
        }
    }

    fn is_signed(&self, body: &[u8]) -> Result<(), SourceError> {
        let Some(signatories) = &self.signatories else { return Ok(()) };
        let signed = text(body).is_some_and(|text| signatories.verify(text, &self.limits).is_ok());
        if signed {
            return Ok(());
        }
        tracing::warn!(source = %self.base, "an answer is not signed by whom the configuration names");
        Err(SourceError::AnswerInvalid)
    }

    /// Only a 200 brings an answer. A server's error may explain itself by a SOAP Fault.
    fn judge(&self, status: StatusCode, body: &[u8], plan: &Plan, asked: &str) -> Result<Retrieved, Failure> {
        if status == StatusCode::OK {
            self.is_signed(body)?;
            return plan.read(body, asked, &self.limits);
        }
        if status.is_server_error()
            && let Err(failure) = plan.read(body, asked, &self.limits)
            && failure.error != SourceError::AnswerInvalid
        {
            return Err(failure);
        }
        Err(condition::failure(Sign::Http(status.as_str())).into())
    }
}
