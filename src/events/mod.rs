//! What the upstream tells by itself: events, and what follows from them.

pub mod automation;
mod event;
pub mod journal;

pub use event::{Event, Unreadable};
pub use journal::Journal;
