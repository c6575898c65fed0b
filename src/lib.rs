//! Sluis, a gateway between authorities.

pub mod cli;
pub mod clock;
pub mod domain;
pub mod identity;
pub mod proto;
