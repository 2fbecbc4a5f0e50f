//! What a grant has to do with the same grant at other replicas: whose turn it is to renew it, and what is newer there.

use std::sync::Arc;

use super::Grant;
use crate::upstream::credential::common::{Lock, Turn};
use crate::upstream::credential::tokens::{Row, Tokens};
use crate::upstream::credential::trouble::Trouble;
use crate::upstream::error::Fault;

/// Who gets the next pair.
pub(super) enum Whose {
    /// This replica, under the lock where there is one to be had.
    Mine(Option<Lock>),
    /// Another one has it already.
    Others(Row),
}

impl Grant {
    /// Tells other replicas what is here, and takes over what is newer there.
    pub async fn compare(&self) -> Result<(), Trouble> {
        let Some(common) = &self.0.means.common else { return Ok(()) };
        let _hold = self.0.means.store.hold(&self.0.key).await?;
        // What others have may be older than what is not written down here.
        self.keep_unkept().await?;
        let newer = match self.row() {
            Some(row) => common.offer(&self.0.key, &row).await,
            None => common.newer(&self.0.key, 0).await,
        };
        if let Some(newer) = newer {
            self.take_from_others(newer).await?;
        }
        Ok(())
    }

    /// What it is called among replicas.
    pub fn name(&self) -> Option<String> {
        self.0.means.common.as_ref().map(|common| common.name(&self.0.key))
    }

    /// Waits until this replica may get the next pair, or another one has it.
    pub(super) async fn turn(&self) -> Result<Whose, Trouble> {
        let Some(common) = &self.0.means.common else { return Ok(Whose::Mine(None)) };
        match common.turn(&self.0.key, self.row()).await {
            Turn::Mine(lock) => Ok(Whose::Mine(Some(lock))),
            Turn::Newer(row) => Ok(Whose::Others(row)),
            Turn::Others => Err(Trouble::Upstream(Fault::Timeout)),
            // Who bought the newest pair knows of no newer one, and no other replica knows that it has it.
            Turn::Away if !self.state().is_shaken && self.held().is_some_and(|held| !held.is_adopted) => {
                Ok(Whose::Mine(None))
            }
            Turn::Away => Err(Trouble::Away),
        }
    }

    /// What other replicas have that is newer than this version.
    pub(super) async fn newer(&self, version: u64) -> Option<Row> {
        self.0.means.common.as_ref()?.newer(&self.0.key, version).await
    }

    fn row(&self) -> Option<Row> {
        Some(self.held()?.row(self.0.replaces.clone()))
    }

    /// Takes over a pair that another replica bought.
    pub(super) async fn take_from_others(&self, row: Row) -> Result<Arc<Tokens>, Trouble> {
        let row = row.adopted();
        let tokens = Arc::new(Tokens::kept(row.clone())?);
        self.0.means.store.put(&self.0.key, row).await?;
        self.take_over(&tokens);
        Ok(tokens)
    }
}
