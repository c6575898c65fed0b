//! The wire of MAGDA, Digitaal Vlaanderen's platform: SOAP 1.1, message family 02.00. Data of the national
//! register, the Crossroads Bank and Wonen in Vlaanderen reach municipalities over it.
//!
//! ```text
//! question   method's options + request  → envelope: content fills it, each part where the options say
//! client     envelope                    → body, over mutual TLS
//! plan       method + grant              → which element is which field (once, at load)
//! answer     body, by plan               → texts; gather keeps granted fields and facts, people whom it is about
//! exception  the platform's codes        → absence, or a failure
//! ```

mod answer;
mod client;
mod content;
mod encode;
mod exception;
mod gather;
mod people;
mod plan;
mod question;
mod status;
#[cfg(test)]
mod tests;

pub use answer::Limits;
pub use client::{EndpointError, MagdaSource};
pub use exception::Failure;
pub use plan::{Plan, PlanError};
pub use question::Envelope;
