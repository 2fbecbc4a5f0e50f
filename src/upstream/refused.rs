//! A credential that the upstream refused is tried again, seldom, where no caller does it.

use std::sync::Arc;

use tokio::time::timeout;

use super::account::LOOK_EVERY;
use super::{Account, Call, Lane, Route, Upstream};
use crate::spawn;

impl Upstream {
    /// Finds out whether a credential that was refused is taken again: who is sent no requests meanwhile could not. Nobody waits
    /// for it, and only a call that succeeds is word of it.
    pub fn look_at_refused(&self, account: &Arc<Account>) {
        const ROUTE: Route = Route::read_contacts("GET /contacts/");
        account.look_again();
        if !account.takes_look() {
            return;
        }
        let (this, account) = (self.on(self.errand.in_lane(Lane::Renewals).without_end()), account.clone());
        spawn::boxed(timeout(LOOK_EVERY, async move {
            let call = Call::to(ROUTE, &[]).with("locationId", &account.location).with("limit", &1);
            if let Ok(mut permit) = account.governor.admit(&this.errand).await {
                // What comes of it is noted by the account.
                let _ = this.parts.client.send(&this.errand, &account, &call, &mut permit).await;
            }
        }));
    }
}
