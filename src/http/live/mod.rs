//! Subscriptions over HTTP: by WebSocket and by event stream, each with the other operations, too.

mod events;
mod feed;
mod message;
mod outbox;
mod socket;
mod upgrade;

pub use events::stream;
pub use feed::Asking;
pub use upgrade::{is_asked, upgrade};
