//! The services beside the exchanges: audit, and health by tonic's own routes.

use http::{Request, Response};
use http_body_util::Either;
use hyper::body::Incoming;
use tonic::service::Routes;
use tonic_health::pb::health_server::HealthServer;
use tonic_health::server::HealthService;
use tower::ServiceExt as _;

use super::audit::{Audit, LIST_DISCLOSURES};
use super::exchange::Body;
use crate::identity::certificate::PeerCertificate;

/// Audit and health.
#[derive(Clone)]
pub struct Services {
    audit: Audit,
    health: Routes,
    request_bytes: usize,
}

impl Services {
    /// The services; an auditor's question may hold `request_bytes` bytes.
    pub fn new(audit: Audit, health: HealthServer<HealthService>, request_bytes: usize) -> Self {
        Self { audit, health: Routes::new(health).prepare(), request_bytes }
    }

    /// True where a path is one of these services'.
    pub fn serve(path: &str) -> bool {
        path.starts_with("/grpc.health.v1.Health/") || path == LIST_DISCLOSURES
    }

    /// Answers a call.
    pub async fn respond(&self, peer: &PeerCertificate, request: Request<Incoming>) -> Response<Body> {
        if request.uri().path() == LIST_DISCLOSURES {
            return self.audit.serve(peer, request, self.request_bytes).await;
        }
        match self.health.clone().oneshot(request).await {
            Ok(response) => response.map(Either::Right),
            Err(never) => match never {},
        }
    }
}
