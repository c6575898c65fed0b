//! The disclosure log: what leaves, and what was asked, is written down before it happens, in a
//! tree (RFC 6962) that can be checked without trusting the gateway's database.
//!
//! Invariant: an entry is acknowledged only when it is durable and under the head. Nobody without
//! the log's keys can alter, drop, reorder or insert entries unnoticed.
//!
//! [`DisclosureLog`] is the one door out of an exchange: [`Asked`], [`Withheld`], [`Settled`], [`Released`], [`Refused`].
//! Behind it [`log::Log`] appends, [`read::Reader`] reads, [`verify::verify`] recomputes everything.
//!
//! # What has no type
//!
//! A response can be made from released data:
//! ```
//! # fn f(released: sluis::disclosure::Released) -> bytes::Bytes {
//! released.into_message()
//! # }
//! ```
//! and from nothing earlier:
//! ```compile_fail,E0599
//! # fn f(withheld: sluis::disclosure::Withheld) -> bytes::Bytes {
//! withheld.into_message()
//! # }
//! ```
//! Nobody but the log makes a `Released`: it can be passed on, and not be put together, nor taken apart and kept:
//! ```
//! # fn f(released: sluis::disclosure::Released) -> sluis::disclosure::Released {
//! let sluis::disclosure::Released { .. } = released; released
//! # }
//! ```
//! ```compile_fail,E0451
//! # fn f(message: bytes::Bytes, receipt: sluis::disclosure::Receipt) -> sluis::disclosure::Released {
//! sluis::disclosure::Released { message, receipt }
//! # }
//! ```
//! The same of a question: only the log makes one, out of a permit, and only a permit shows what was asked for.
//! ```
//! # async fn f(log: sluis::disclosure::DisclosureLog, permit: sluis::domain::decide::Permit) {
//! let _ = log.ask(permit).await;
//! # }
//! ```
//! ```compile_fail,E0308
//! # async fn f(log: sluis::disclosure::DisclosureLog, request: sluis::domain::request::ExchangeRequest) {
//! let _ = log.ask(request).await;
//! # }
//! ```
//! ```compile_fail,E0423
//! # fn f(permit: sluis::domain::decide::Permit) -> sluis::disclosure::Asked {
//! sluis::disclosure::Asked(permit)
//! # }
//! ```
//! Who is outside cannot seal an answer, be it from a question that is in the log:
//! ```
//! # fn f(asked: sluis::disclosure::Asked, facts: sluis::domain::facts::Facts) {
//! let _ = (asked.receipt(), facts);
//! # }
//! ```
//! ```compile_fail,E0624
//! # fn f(asked: sluis::disclosure::Asked, facts: sluis::domain::facts::Facts) {
//! let _ = sluis::disclosure::Withheld::seal(asked, bytes::Bytes::new(), facts);
//! # }
//! ```
//! What a refusal says is read, and not changed:
//! ```
//! # fn f(refused: sluis::disclosure::Refused) -> sluis::domain::reason::Reason {
//! refused.denial().reason
//! # }
//! ```
//! ```compile_fail,E0616
//! # fn f(refused: sluis::disclosure::Refused) -> sluis::domain::reason::Reason {
//! refused.denial.reason
//! # }
//! ```
//! And an answer that was not settled does not enter the log as a disclosure:
//! ```compile_fail,E0308
//! # async fn f(log: sluis::disclosure::DisclosureLog, withheld: sluis::disclosure::Withheld) {
//! let _ = log.disclose(withheld).await;
//! # }
//! ```
//! as one that was, does:
//! ```
//! # async fn f(log: sluis::disclosure::DisclosureLog, settled: sluis::disclosure::Settled) {
//! let _ = log.disclose(settled).await;
//! # }
//! ```

pub mod checkpoint;
pub mod commitment;
mod door;
pub mod entry;
#[cfg(test)]
mod golden;
pub mod high_water;
pub mod keys;
mod known;
pub mod log;
pub mod merkle;
pub mod months;
mod published;
pub mod read;
pub mod record;
mod recover;
pub mod seal;
mod sequencer;
mod short;
pub mod store;
pub mod verify;
pub mod walk;
mod wording;

pub use door::{
    About, Asked, DisclosureLog, Refused, Released, Settled, Unlogged, Unreleased, Unsettled, Withheld,
};
pub use known::{Known, Party};
pub use log::{Log, Receipt};
