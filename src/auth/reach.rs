//! The callers that there can be, made ahead: one for each location and set of scopes.

use std::sync::Arc;

use super::Refusal;
use crate::caller::{Caller, Scopes};
use crate::upstream::Account;

/// Every caller that the served locations allow for.
pub struct Callers {
    /// By the number of the set of scopes.
    everywhere: Vec<Arc<Reach>>,
}

impl Callers {
    pub fn new(accounts: &[Arc<Account>]) -> Self {
        let everywhere = Scopes::sets().map(|scopes| {
            let callers = accounts.iter().map(|account| Arc::new(Caller { account: account.clone(), scopes }));
            Arc::new(Reach::new(callers))
        });
        Self { everywhere: everywhere.collect() }
    }

    /// All locations, with these scopes.
    pub fn everywhere(&self, scopes: Scopes) -> Arc<Reach> {
        self.everywhere[scopes.number()].clone()
    }

    /// Those of these locations that are served, with these scopes.
    pub fn among<'a>(&self, scopes: Scopes, locations: impl IntoIterator<Item = &'a str>) -> Arc<Reach> {
        let all = &self.everywhere[scopes.number()];
        let callers = locations.into_iter().filter_map(|location| all.find(location.as_bytes()).cloned());
        Arc::new(Reach::new(callers))
    }
}

/// What one key or token opens: a caller for each of its locations.
pub struct Reach {
    /// In the order of their locations' ids, each once.
    callers: Box<[Arc<Caller>]>,
}

impl Reach {
    fn new(callers: impl Iterator<Item = Arc<Caller>>) -> Self {
        let mut callers: Vec<_> = callers.collect();
        callers.sort_by(|a, b| a.account.location.cmp(&b.account.location));
        callers.dedup_by(|a, b| a.account.location == b.account.location);
        Self { callers: callers.into() }
    }

    fn find(&self, location: &[u8]) -> Option<&Arc<Caller>> {
        let found = self.callers.binary_search_by(|caller| caller.account.location.as_bytes().cmp(location));
        found.ok().map(|at| &self.callers[at])
    }

    /// The caller at the location that is named, or at the only one that there is.
    pub fn at(&self, location: Option<&[u8]>) -> Result<Arc<Caller>, Refusal> {
        match (location, &*self.callers) {
            (Some(location), _) => self.find(location).cloned().ok_or(Refusal::Elsewhere),
            (None, [only]) => Ok(only.clone()),
            (None, []) => Err(Refusal::Nowhere),
            (None, several) => {
                Err(Refusal::Unnamed(several.iter().map(|caller| caller.account.location.clone()).collect()))
            }
        }
    }

    /// How many locations it has.
    pub fn len(&self) -> usize {
        self.callers.len()
    }
}
