//! Who asks, and for which location. A leaf: everything may know of it.

use std::sync::Arc;

use crate::cache::View;
use crate::upstream::Account;

/// A caller of the gateway.
#[derive(Clone, Debug)]
pub struct Caller {
    /// The location that is asked, with the credential that reads it.
    pub account: Arc<Account>,
    /// What the caller may do.
    pub scopes: Arc<[Box<str>]>,
}

/// What tells callers apart who may be shown different answers to the same request.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub struct Eyes {
    view: View,
    scopes: u64,
}

impl Caller {
    /// What this caller sees.
    pub fn eyes(&self) -> Eyes {
        Eyes { view: self.account.view, scopes: 0 }
    }
}
