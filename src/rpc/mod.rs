//! The gateway's own wire: gRPC over mutual TLS. What a caller may have is decided elsewhere; here are the listener,
//! the dynamic exchange service, audit, health, reflection, and the one mapping of reasons to status codes.

pub mod admission;
pub mod audit;
pub mod exchange;
pub mod listener;
pub mod reflection;
pub mod services;
pub mod status;
