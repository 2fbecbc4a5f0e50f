//! What the GraphQL of every resource shares: errors, scalars, paging, the request at hand.

pub mod cost;
pub mod dataloader;
pub mod error;
pub mod filter;
pub mod forms;
pub mod in_place;
pub mod input;
pub mod json;
pub mod live;
pub mod look;
pub mod page;
pub mod request;
pub mod scalars;
pub mod scope;
pub mod trail;

pub use dataloader::DataLoader;
pub use error::{Code, Error, with_brief_words};
pub use in_place::{AtHand, InPlace, Rows};
pub use live::{Live, Wanted};
pub use look::Look;
pub use request::{Here, Request};
pub use scalars::{DateTime, Json};
pub use scope::Scope;
pub use trail::{Sources, Stale, Trail};

pub use crate::upstream::Sent;
