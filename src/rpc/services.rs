//! The services beside the exchanges: audit, and health by tonic's own routes.

use http::{Request, Response};
use http_body_util::Either;
use hyper::body::Incoming;
use tonic::Status;
use tonic::service::Routes;
use tonic_health::pb::health_server::HealthServer;
use tonic_health::server::HealthService;
use tower::ServiceExt as _;

use super::audit::{Audit, LIST_DISCLOSURES};
use super::exchange::{self, Body, Bounds};
use crate::disclosure::{Refused, Unlogged};
use crate::identity::certificate::PeerCertificate;

/// Audit and health.
#[derive(Clone)]
pub struct Services {
    audit: Audit,
    health: Routes,
    bounds: Bounds,
}

/// The most bytes of a question about health: the name of a service.
const HEALTH_BYTES: usize = 1024;

impl Services {
    /// The services. An auditor's question may hold as many bytes as `bounds` says; one about health has its deadline.
    pub fn new(audit: Audit, health: HealthServer<HealthService>, bounds: Bounds) -> Self {
        let health = health.max_decoding_message_size(HEALTH_BYTES);
        Self { audit, health: Routes::new(health).prepare(), bounds }
    }

    /// True where a path is one of these services'.
    pub fn serve(path: &str) -> bool {
        path.starts_with("/grpc.health.v1.Health/") || path == LIST_DISCLOSURES
    }

    /// Answers a call.
    pub async fn respond(&self, peer: &PeerCertificate, request: Request<Incoming>) -> Response<Body> {
        if request.uri().path() == LIST_DISCLOSURES {
            return self.audit.serve(peer, request, self.bounds.request_bytes).await;
        }
        // Of a stranger no message is read, here neither.
        if !self.audit.knows(peer) {
            return exchange::refusal(&Refused::unlogged(Unlogged::Stranger));
        }
        // Until the question is read: watching health has no end.
        let asked = self.health.clone().oneshot(request);
        match tokio::time::timeout(self.bounds.deadline, asked).await {
            Ok(Ok(response)) => response.map(Either::Right),
            Ok(Err(never)) => match never {},
            Err(_) => Status::deadline_exceeded("send the question").into_http().map(Either::Right),
        }
    }
}
