//! Who asks, for which location, and what they may do. A leaf: everything may know of it.

use std::fmt;
use std::sync::Arc;

use crate::cache::View;
use crate::upstream::Account;
pub use crate::upstream::Payer;

/// A caller of the gateway at one location. It is made once and shared by all requests that may do the same.
#[derive(Debug)]
pub struct Caller {
    /// The location that is asked, with the credential that reads it.
    pub account: Arc<Account>,
    /// What the caller may do.
    pub scopes: Scopes,
}

/// What tells callers apart who may be shown different answers to the same request.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub struct Eyes {
    view: View,
    scopes: Scopes,
}

impl Caller {
    /// What this caller sees.
    pub fn eyes(&self) -> Eyes {
        Eyes { view: self.account.view, scopes: self.scopes }
    }
}

/// Something that a caller may do, by the upstream's name for it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Scope {
    /// Read contacts and what belongs to them.
    ContactsReadonly,
    /// Change them.
    ContactsWrite,
}

impl Scope {
    /// All that there are.
    pub const ALL: [Self; 2] = [Self::ContactsReadonly, Self::ContactsWrite];

    /// The upstream's name.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::ContactsReadonly => "contacts.readonly",
            Self::ContactsWrite => "contacts.write",
        }
    }

    const fn bit(self) -> u8 {
        1 << self as u8
    }
}

/// A set of scopes. One does not bring another: who may write and not read is refused every reading.
#[derive(Clone, Copy, Default, PartialEq, Eq, Hash)]
pub struct Scopes(u8);

impl Scopes {
    /// Every scope.
    pub const ALL: Self = Self(Scope::ContactsReadonly.bit() | Scope::ContactsWrite.bit());

    /// How many different sets there are.
    pub const SETS: usize = Self::ALL.0 as usize + 1;

    /// Those that are named. Other names mean nothing to the gateway.
    pub fn named<'a>(names: impl IntoIterator<Item = &'a str>) -> Self {
        let known = names.into_iter().filter_map(|name| Scope::ALL.into_iter().find(|scope| scope.as_str() == name));
        Self(known.fold(0, |bits, scope| bits | scope.bit()))
    }

    /// Every set, each at its number.
    pub fn sets() -> impl Iterator<Item = Self> {
        (0..=Self::ALL.0).map(Self)
    }

    /// Its number, below `SETS`.
    pub fn number(self) -> usize {
        self.0.into()
    }

    /// Whether this scope is among them.
    pub fn has(self, scope: Scope) -> bool {
        self.0 & scope.bit() != 0
    }

    /// One after the other.
    pub fn iter(self) -> impl Iterator<Item = Scope> {
        Scope::ALL.into_iter().filter(move |scope| self.has(*scope))
    }
}

impl fmt::Debug for Scopes {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_set().entries(self.iter().map(Scope::as_str)).finish()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn scopes_are_what_was_named_and_known() {
        let scopes = Scopes::named(["openid", "contacts.write", "contacts.write", "Contacts.readonly"]);
        assert!(scopes.has(Scope::ContactsWrite) && !scopes.has(Scope::ContactsReadonly));
        assert_eq!(Scopes::named(Scope::ALL.map(Scope::as_str)), Scopes::ALL);
        let numbers: Vec<usize> = Scopes::sets().map(Scopes::number).collect();
        assert_eq!(numbers, (0..Scopes::SETS).collect::<Vec<_>>());
    }
}
