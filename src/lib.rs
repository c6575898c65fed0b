//! Sluis, a gateway between authorities.
#![warn(missing_docs)]

pub mod clock;
pub mod domain;
pub mod minimise;
