//! What a field needs its caller to be allowed, checked before the field asks anything.
//!
//! Whatever reads needs `contacts.readonly`; [`Here::load`](super::Here::load) sees to it, and the schema does not say so of each
//! field. A field that needs more says so in the schema and asks first:
//!
//! ```text
//! #[graphql(directive = requires_scopes::apply(Scope::ContactsWrite.alone()))]
//! async fn change(&self, ctx: &Context<'_>) -> Option<Result<Change, Error>> {
//!     if let Err(refused) = Request::of(ctx).may(Scope::ContactsWrite) { return Some(Err(refused)) }
//! ```
//!
//! It asks by itself and not by a guard of the library: the error of a guard is that of the field's parent, also where the
//! field is nullable, so one refused field would take the answers of all others.

use async_graphql::TypeDirective;

use super::{Error, Request};
pub use crate::caller::Scope;

/// The field is refused to callers who have none of these sets of scopes whole.
#[TypeDirective(name = "requiresScopes", location = "FieldDefinition")]
pub fn requires_scopes(scopes: Vec<Vec<String>>) {}

impl Scope {
    /// The argument of the directive: this scope is enough.
    pub fn alone(self) -> Vec<Vec<String>> {
        vec![vec![self.as_str().to_owned()]]
    }
}

impl Request {
    /// Whether the caller has the scope, and the credential is not known to lack it.
    pub fn may(&self, scope: Scope) -> Result<(), Error> {
        if !self.caller.scopes.has(scope) {
            return Err(Error::missing(scope.as_str()));
        }
        match self.caller.account.lacks(scope.as_str()) {
            true => Err(Error::not_granted(scope.as_str())),
            false => Ok(()),
        }
    }
}

#[cfg(test)]
mod tests {
    use async_graphql::{EmptyMutation, EmptySubscription, Object, Schema};

    use super::*;

    struct Root;

    #[Object]
    impl Root {
        #[graphql(directive = requires_scopes::apply(Scope::ContactsWrite.alone()))]
        async fn change(&self) -> bool {
            true
        }
    }

    #[test]
    fn the_schema_tells_which_scope_a_field_needs() {
        let sdl = Schema::new(Root, EmptyMutation, EmptySubscription).sdl();
        assert!(sdl.contains("change: Boolean! @requiresScopes(scopes: [[\"contacts.write\"]])"), "{sdl}");
        assert!(sdl.contains("directive @requiresScopes(scopes: [[String!]!]!) on FIELD_DEFINITION"), "{sdl}");
    }
}
