//! Sluis, a gateway between authorities.

pub mod clock;
pub mod domain;
