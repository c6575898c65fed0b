//! Who calls: the registered public key tells the system and its organisation, a bearer token
//! that the organisation's own issuer signed tells the end user.
//!
//! Names in a certificate are compared, never trusted. What the handshake checked once is
//! checked again per request, for connections live long.

mod caller;
pub mod certificate;
pub mod jwks;
pub mod registry;
pub mod revocation;
pub mod tls;
pub mod token;

pub use caller::{Shown, Unidentified, identify};
