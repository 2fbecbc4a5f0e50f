//! A stand-in for the Contacts API, written from its wire facts alone. It shares no type with the gateway's
//! own client, so that a mistake on one side can't agree with itself on the other.
//!
//! In reading order: [`Options`] and [`Quirks`] say what it plays; `server` is the way of one call; `route`
//! is the table of what can be called, `door` refuses, `read` answers from the `store`, `write` changes it, `view` is
//! how a record looks on the wire; `data` makes the records; `oauth` answers from the books of `grant`; `limits`,
//! [`Fault`], [`Hold`] and the `switches` of single contacts get in the way on purpose; `world` is what all calls share;
//! `webhooks` tells of changes; `traffic` counts; `control` is `/__sandbox/...`; [`Sandbox`] is all of it in a test's hands.

mod answer;
mod bulk;
mod control;
mod data;
mod door;
mod fault;
mod grant;
mod handle;
mod hold;
mod limits;
mod lock;
mod oauth;
mod options;
mod quirks;
mod read;
mod route;
mod server;
mod store;
mod switches;
mod traffic;
mod variant;
mod view;
mod webhooks;
mod world;
mod write;

pub use control::{Info, LocationInfo};
pub use data::{DEMO_CONTACT, NOW, Seed};
pub use fault::{Cut, Fault};
pub use grant::OAuthInfo;
pub use handle::{HeldEvents, Sandbox};
pub use hold::Hold;
pub use options::{Options, RateLimit, SCOPES};
pub use quirks::Quirks;
pub use server::serve;
pub use store::Record;
pub use traffic::Call;
pub use variant::Variant;
pub use webhooks::Posted;
