//! What the gateway decides by, and how: pure, without clock, input or output.

pub mod catalogue;
pub mod causes;
pub mod decide;
pub mod facts;
#[cfg(test)]
mod fixture;
pub mod grant;
pub mod hex;
pub mod instrument;
pub mod party;
pub mod reason;
pub mod request;
pub mod settle;
pub mod sheltered;
pub mod subject;
pub mod vocabulary;
