//! Sluis, a gateway between authorities.

pub mod clock;
pub mod config;
pub mod disclosure;
pub mod domain;
pub mod frame;
pub mod store;
