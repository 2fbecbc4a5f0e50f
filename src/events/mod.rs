//! What the upstream tells by itself: events, and what follows from them.

mod event;

pub use event::{Event, Unreadable};
