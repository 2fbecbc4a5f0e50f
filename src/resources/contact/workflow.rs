//! A contact enters a workflow: a change that no answer shows anything of, and that cannot be looked for afterwards.

use std::sync::Arc;

use jiff::Timestamp;
use serde_json::Map;

use super::look::is_here;
use crate::cache::Tag;
use crate::changes::Change;
use crate::upstream::wire;
use crate::upstream::{Account, Call, Error, Id, Route, Upstream, Write};

const START: Route = Route::write_contacts("POST /contacts/{contactId}/workflow/{workflowId}");

#[derive(Clone, Debug)]
struct Start {
    account: Arc<Account>,
    contact: Id,
    workflow: Id,
}

impl Write for Start {
    type Done = ();

    fn account(&self) -> &Arc<Account> {
        &self.account
    }

    fn call(&self) -> Call {
        Call::to(START, &[&self.contact, &self.workflow]).body(Map::new())
    }

    fn read(&self, body: &[u8]) -> Result<(), Error> {
        wire::succeeded(START.template, body)
    }

    /// What the workflow does is told by events.
    fn touched(&self, _: Option<&()>, _: &mut dyn FnMut(Tag<'_>)) {}

    fn tell(&self, _: Option<&()>, _: &mut dyn FnMut(Change)) {}

    async fn is_here(&self, upstream: &Upstream) -> Result<bool, Error> {
        is_here(upstream, &self.account, &self.contact).await
    }

    async fn look(&mut self, _: &Upstream, _: Timestamp, _: &mut Error) -> Option<()> {
        None
    }
}

/// Lets a contact enter a workflow.
pub async fn start_workflow(
    upstream: &Upstream,
    account: Arc<Account>,
    contact: Id,
    workflow: Id,
) -> Result<(), Error> {
    upstream.change(Start { account, contact, workflow }).await
}
