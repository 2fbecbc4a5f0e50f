//! A GraphQL gateway over the Contacts REST API: everything known about a contact in one query.
//!
//! The way of a request, in reading order:
//!
//! 1. [`http`] turns headers into a [`caller`], by what [`auth`] knows, or a refusal; and a body into a request.
//! 2. [`operation`] compiles its document once, coerces its variables, and executes it.
//! 3. [`schema`] puts the fields together that [`resources`] have; each loads typed keys.
//! 4. [`graph`] is what the GraphQL of all resources shares: errors, paging, the batches that keys are gathered in.
//! 5. [`upstream`] answers a key from the [`cache`], by a reading that is under way, or by a new one.
//!
//! [`metrics`] is what is counted on that way, and [`traces`] what is told of it to a collector. [`app`] builds and connects all of it from the [`config`]; [`command`] is the command line. [`sandbox`] is a
//! stand-in for the upstream and shares nothing with the rest. [`events`] are what the upstream tells by itself, and [`changes`] what watchers are told.
//! [`state`] is what outlives the process, and [`replicas`] what joins several of them. [`remembered`] and [`spawn`] keep copies of code few.

pub mod app;
pub mod auth;
pub mod cache;
pub mod caller;
pub mod changes;
pub mod clock;
pub mod command;
pub mod config;
pub mod events;
#[cfg(feature = "fuzzing")]
#[doc(hidden)]
pub mod fuzzing;
pub mod graph;
pub mod http;
pub mod live_file;
pub mod metrics;
pub mod operation;
pub mod remembered;
pub mod replicas;
pub mod resources;
pub mod sandbox;
pub mod schema;
pub mod spawn;
pub mod state;
pub mod traces;
pub mod upstream;
