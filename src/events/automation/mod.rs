//! What is to be done by itself when something happens: rules of a file, followed event by event.
//!
//! `rules` reads the file. For an event `run` decides what is to be done, from the `facts` that rules name, writes that down
//! in the `store`, and has each action done by `perform`, once.

mod action;
mod address;
mod among;
mod condition;
mod facts;
mod form;
mod names;
mod own;
mod perform;
mod post;
mod rehearse;
pub(crate) mod rules;
mod run;
mod schedule;
mod schema;
mod shown;
mod store;
mod template;
mod trigger;

use std::sync::Arc;

use anyhow::Context;
use jiff::Timestamp;
use secrecy::SecretString;
use tokio::sync::Notify;

pub use form::Problem;
pub use rehearse::{Rehearsed, reads, rehearse};
pub use rules::Rules;
pub use schema::Schema;
pub use shown::{Followed, followed};

use super::{Event, Journal, Later};
use crate::clock::Clock;
use crate::replicas::Link;
use crate::upstream::Account;
use among::Among;
use post::Post;

/// The automations of this gateway.
pub struct Automations {
    rules: Rules,
    schema: Schema,
    accounts: Vec<Arc<Account>>,
    journal: Journal,
    among: Among,
    post: Post,
    clock: Clock,
    started: Timestamp,
    /// A timer was set.
    timers: Notify,
}

/// How deliveries are made.
pub struct Deliveries {
    /// What they are signed with.
    pub secret: Option<SecretString>,
    /// Whether they may go to addresses that are not of the internet.
    pub allow_private: bool,
}

impl Automations {
    /// Those of these rules, at these locations. `link`: to the gateways that have the same.
    pub fn new(
        rules: Rules,
        schema: Schema,
        accounts: Vec<Arc<Account>>,
        journal: Journal,
        deliveries: Deliveries,
        (link, clock): (Option<Link>, Clock),
    ) -> anyhow::Result<Self> {
        let post = Post::new(deliveries.secret, deliveries.allow_private)
            .context("the client of deliveries could not be made")?;
        let (among, started) = (Among(link), now(&clock));
        Ok(Self { rules, schema, accounts, journal, among, post, clock, started, timers: Notify::new() })
    }

    /// Everything that they want because of an event. `name`: the journal's name of it. An error: some of it is to be done at another
    /// time.
    pub async fn follow(&self, name: &str, event: &Event) -> Result<(), Later> {
        self.handle(name, event).await
    }

    fn now(&self) -> Timestamp {
        now(&self.clock)
    }
}

fn now(clock: &Clock) -> Timestamp {
    clock.wall().try_into().unwrap_or(Timestamp::MAX)
}
