//! Objects that are resolved in place: a field whose value is at hand is put into the answer at once. The library makes
//! a future for each field of each object, which for the rows of a list is most of what an answer costs. No extension of
//! the library sees these fields; the schema has none.

use std::borrow::Cow;
use std::future::Future;
use std::pin::pin;
use std::task::{Context, Poll, Waker};

use async_graphql::indexmap::IndexMap;
use async_graphql::parser::types::{Field, Selection, SelectionSet};
use async_graphql::registry::Registry;
use async_graphql::resolver_utils::ContainerType;
use async_graphql::{ContextSelectionSet, Name, OutputType, Positioned, ServerResult, Value};
use futures_util::future::{BoxFuture, try_join_all};

/// An object that knows which of its fields are at hand.
pub trait AtHand: ContainerType + Send + Sync {
    /// Whether the field is resolved without waiting for anything.
    fn has(&self, field: &str) -> bool;
}

/// The same object, resolved in place.
pub struct InPlace<T>(pub T);

impl<T: AtHand> InPlace<T> {
    fn resolve_now<'a>(
        &self,
        ctx: &'a ContextSelectionSet<'a>,
        field: &'a Positioned<Field>,
    ) -> Option<ServerResult<Value>> {
        let name = &*field.node.name.node;
        if name == "__typename" {
            return Some(Ok(Value::String(T::type_name().into_owned())));
        }
        if !self.0.has(name) {
            return None;
        }
        let ctx = ctx.with_field(field);
        let resolved = pin!(self.0.resolve_field(&ctx));
        match resolved.poll(&mut Context::from_waker(Waker::noop())) {
            Poll::Ready(value) => Some(value.map(Option::unwrap_or_default)),
            // It is not at hand, whatever was said of it: asked again by those who can wait.
            Poll::Pending => None,
        }
    }

    // Boxed here and not where it is awaited: a contact has tasks that have a contact.
    fn resolve_later<'a>(
        &'a self,
        ctx: &'a ContextSelectionSet<'a>,
        field: &'a Positioned<Field>,
        place: usize,
    ) -> BoxFuture<'a, ServerResult<(usize, Value)>> {
        Box::pin(async move {
            let ctx = ctx.with_field(field);
            Ok((place, self.0.resolve_field(&ctx).await?.unwrap_or_default()))
        })
    }

    async fn resolve_plain(&self, ctx: &ContextSelectionSet<'_>, selected: Plain<'_>) -> ServerResult<Value> {
        let Plain { mut object, fields } = selected;
        let mut waiting = Vec::new();
        for (place, field) in fields.into_iter().enumerate() {
            match self.resolve_now(ctx, field) {
                Some(value) => object[place] = value?,
                None => waiting.push(self.resolve_later(ctx, field, place)),
            }
        }
        for (place, value) in try_join_all(waiting).await? {
            object[place] = value;
        }
        Ok(Value::Object(object))
    }
}

impl<T: AtHand> OutputType for InPlace<T> {
    fn type_name() -> Cow<'static, str> {
        T::type_name()
    }

    fn create_type_info(registry: &mut Registry) -> String {
        T::create_type_info(registry)
    }

    async fn resolve(&self, ctx: &ContextSelectionSet<'_>, field: &Positioned<Field>) -> ServerResult<Value> {
        match Plain::of::<T>(ctx) {
            Some(selected) => self.resolve_plain(ctx, selected).await,
            None => Box::pin(self.0.resolve(ctx, field)).await,
        }
    }
}

/// A selection of nothing but fields with names of their own, those of fragments on the same type included.
struct Plain<'a> {
    fields: Vec<&'a Positioned<Field>>,
    /// A place for each of them, in order.
    object: IndexMap<Name, Value>,
}

impl<'a> Plain<'a> {
    /// `None` when there is more to it: directives, fragments on other types, fields that have to be merged.
    fn of<T: OutputType>(ctx: &ContextSelectionSet<'a>) -> Option<Self> {
        let most = ctx.item.node.items.len();
        let mut plain = Self { fields: Vec::with_capacity(most), object: IndexMap::with_capacity(most) };
        plain.add(ctx, &ctx.item.node, &T::type_name()).then_some(plain)
    }

    fn add(&mut self, ctx: &ContextSelectionSet<'a>, selected: &'a SelectionSet, own: &str) -> bool {
        selected.items.iter().all(|selection| match &selection.node {
            Selection::Field(field) => {
                self.fields.push(field);
                let key = field.node.response_key().node.clone();
                field.node.directives.is_empty() && self.object.insert(key, Value::Null).is_none()
            }
            Selection::InlineFragment(fragment) => {
                let on = fragment.node.type_condition.as_ref();
                fragment.node.directives.is_empty()
                    && on.is_none_or(|on| on.node.on.node == *own)
                    && self.add(ctx, &fragment.node.selection_set.node, own)
            }
            Selection::FragmentSpread(spread) => {
                let fragment = ctx.query_env.fragments.get(&spread.node.fragment_name.node);
                let fragment = fragment.filter(|fragment| fragment.node.type_condition.node.on.node == *own);
                spread.node.directives.is_empty()
                    && fragment.is_some_and(|fragment| self.add(ctx, &fragment.node.selection_set.node, own))
            }
        })
    }
}
