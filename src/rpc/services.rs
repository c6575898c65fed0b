//! The services beside the exchanges: audit and health, by tonic's own routes.

use std::sync::Arc;

use http::{Request, Response};
use http_body_util::Either;
use hyper::body::Incoming;
use tonic::service::Routes;
use tonic_health::pb::health_server::HealthServer;
use tonic_health::server::HealthService;
use tower::ServiceExt as _;

use super::audit::Audit;
use super::exchange::Body;
use crate::identity::certificate::PeerCertificate;
use crate::proto::audit::audit_service_server::AuditServiceServer;

/// Tonic's routes for audit and health.
#[derive(Clone)]
pub struct Services(Routes);

impl Services {
    /// The services; a question may hold `request_bytes` bytes.
    pub fn new(audit: Audit, health: HealthServer<HealthService>, request_bytes: usize) -> Self {
        let audit = AuditServiceServer::new(audit).max_decoding_message_size(request_bytes);
        Self(Routes::new(audit).add_service(health).prepare())
    }

    /// True where a path is one of these services'.
    pub fn serve(path: &str) -> bool {
        path.starts_with("/grpc.health.v1.Health/") || path == super::audit::LIST_DISCLOSURES
    }

    /// Answers a call.
    pub async fn respond(&self, peer: &Arc<PeerCertificate>, mut request: Request<Incoming>) -> Response<Body> {
        request.extensions_mut().insert(Arc::clone(peer));
        match self.0.clone().oneshot(request).await {
            Ok(response) => response.map(Either::Right),
            Err(never) => match never {},
        }
    }
}
