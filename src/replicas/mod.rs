//! What joins the gateways that share a Redis. Knows Redis, and nothing of contacts.

mod link;
mod seal;

pub use link::{Heard, Link, Subscription, Trouble};
pub use seal::Seal;
