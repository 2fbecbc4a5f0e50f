//! Who asks, and for which location. A leaf: everything may know of it.

use std::sync::Arc;

use crate::upstream::Account;

/// A caller of the gateway.
#[derive(Clone, Debug)]
pub struct Caller {
    /// The location that is asked, with the credential that reads it.
    pub account: Arc<Account>,
    /// What the caller may do.
    pub scopes: Arc<[Box<str>]>,
}
