//! What an installation does to a grant: it takes the place of every pair there was, here and at the other replicas.

use std::sync::Arc;

use super::Grant;
use crate::upstream::credential::tokens::{Row, Tokens};
use crate::upstream::credential::trouble::Trouble;

impl Grant {
    /// Takes over a pair that an installation brought.
    pub async fn install(&self, tokens: Tokens) -> Result<(), Trouble> {
        let _hold = self.0.means.store.hold(&self.0.key).await?;
        let mut known = self.held().map_or(0, |held| held.version);
        loop {
            let next = Arc::new(tokens.clone().installed(known, self.0.means.clock.wall()));
            match self.put(&next, None).await? {
                // Of an earlier grant, also if it was renewed a moment ago, or by a clock that is ahead of this one.
                Some(newer) => known = newer.version,
                None => {
                    self.begin(&next);
                    return Ok(());
                }
            }
        }
    }

    /// Takes over an installation that came meanwhile: one of this process that the disk did not take, or one of another
    /// process or replica, if it is newer and came after the same configured token.
    pub async fn adopt(&self, replaces: Option<&str>) -> Result<bool, Trouble> {
        if self.state().unkept.is_some() {
            let _hold = self.0.means.store.hold(&self.0.key).await?;
            return Ok(self.keep_unkept().await?.is_some());
        }
        let fits = |row: &Row| replaces.is_none() || row.replaces.as_deref() == replaces;
        let kept = self.0.means.store.get(&self.0.key).await?;
        if let Some(newer) = self.newer(kept.as_ref().map_or(0, |kept| kept.version)).await.filter(fits) {
            self.take_from_others(newer).await?;
            return Ok(true);
        }
        let Some(row) = kept.filter(fits) else { return Ok(false) };
        let tokens = Arc::new(Tokens::kept(row)?);
        let is_new = self.held().is_none_or(|held| held.bearer.token() != tokens.bearer.token());
        if is_new {
            self.take_over(&tokens);
        }
        Ok(is_new)
    }
}
