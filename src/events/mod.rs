//! What the upstream tells by itself: events, and what follows from them.

mod event;
mod poll;

pub use event::{Event, Unreadable};
pub use poll::Poll;
