//! Objects that are resolved in place: a field whose value is at hand is put into the answer at once. The library makes
//! a future for each field of each object, which for the rows of a list is most of what an answer costs. No extension of
//! the library sees these fields; the schema has none.

use std::borrow::Cow;
use std::future::Future;
use std::pin::{Pin, pin};
use std::task::{Context, Poll, Waker};

use async_graphql::indexmap::IndexMap;
use async_graphql::parser::types::{Field, Selection, SelectionSet};
use async_graphql::registry::Registry;
use async_graphql::resolver_utils::{ContainerType, resolve_list};
use async_graphql::{ContextSelectionSet, Name, OutputType, Positioned, ServerError, ServerResult, Value};
use futures_util::future::{BoxFuture, MaybeDone, TryJoinAll, maybe_done, try_join_all};
use futures_util::poll;

use super::dataloader::{INTERRUPTED, MOST_TURNS};
use super::json;
use super::request::Request;

/// An object that knows which of its fields are at hand.
pub trait AtHand: ContainerType + Send + Sync {
    /// Whether the field is resolved without waiting for anything.
    fn has(&self, field: &str) -> bool;
}

/// The same object, resolved in place.
pub struct InPlace<T>(pub T);

/// A list of such objects.
pub struct Rows<T>(pub Vec<T>);

impl<T: AtHand> OutputType for InPlace<T> {
    fn type_name() -> Cow<'static, str> {
        T::type_name()
    }

    fn create_type_info(registry: &mut Registry) -> String {
        T::create_type_info(registry)
    }

    async fn resolve(&self, ctx: &ContextSelectionSet<'_>, field: &Positioned<Field>) -> ServerResult<Value> {
        let Some(plain) = Plain::of::<T>(ctx) else {
            return Box::pin(self.0.resolve(ctx, field)).await;
        };
        let later = plain.later(&self.0).map(|place| resolve_later(&self.0, ctx, plain.fields[place], (0, place)));
        let later = begin(later.collect(), ctx.data_unchecked::<Request>()).await;
        let mut object = plain.now(&self.0, ctx)?;
        for ((_, place), value) in end(later).await? {
            object[place] = value;
        }
        Ok(Value::Object(object))
    }
}

impl<T: AtHand> OutputType for Rows<T> {
    fn type_name() -> Cow<'static, str> {
        Vec::<T>::type_name()
    }

    fn create_type_info(registry: &mut Registry) -> String {
        Vec::<T>::create_type_info(registry)
    }

    async fn resolve(&self, ctx: &ContextSelectionSet<'_>, field: &Positioned<Field>) -> ServerResult<Value> {
        let Self(rows) = self;
        let Some(plain) = Plain::of::<T>(ctx) else {
            return Box::pin(resolve_list(ctx, field, rows, Some(rows.len()))).await;
        };
        let request = ctx.data_unchecked::<Request>();
        let at_hand = || rows.iter().all(|row| plain.later(row).next().is_none());
        if !request.merges && at_hand() {
            let (list, _) = plain.list(rows, ctx)?;
            return Ok(Value::Binary(list.into()));
        }
        let contexts: Vec<_> = (0..rows.len()).map(|at| ctx.with_index(at)).collect();
        let each = || rows.iter().zip(&contexts);
        let later = each().enumerate().flat_map(|(at, (row, ctx))| {
            let plain = &plain;
            plain.later(row).map(move |place| resolve_later(row, ctx, plain.fields[place], (at, place)))
        });
        let later = begin(later.collect(), request).await;
        if !request.merges {
            let (list, gaps) = plain.list(rows, ctx)?;
            // Both are in the order of the text.
            let values = end(later).await?.into_iter().map(|(_, value)| value);
            return Ok(json::fill(&list, &gaps.into_iter().zip(values).collect::<Vec<_>>()));
        }
        let mut objects = each().map(|(row, ctx)| plain.now(row, ctx)).collect::<ServerResult<Vec<_>>>()?;
        for ((at, place), value) in end(later).await? {
            objects[at][place] = value;
        }
        Ok(Value::List(objects.into_iter().map(Value::Object).collect()))
    }
}

/// A value and its place: which row, which field.
type Placed = ((usize, usize), Value);

type Later<'a> = MaybeDone<TryJoinAll<BoxFuture<'a, ServerResult<Placed>>>>;

/// Lets what has to be waited for begin, all the way to the upstream, so that what is at hand is resolved meanwhile.
async fn begin<'a>(later: Vec<BoxFuture<'a, ServerResult<Placed>>>, request: &Request) -> Later<'a> {
    // A few calls go at once, and many take turns.
    let turns = if later.len() < INTERRUPTED { 1 } else { MOST_TURNS };
    let mut later = maybe_done(try_join_all(later));
    for _ in 0..turns {
        // Each time, for the runtime interrupts who asks for much.
        if poll!(&mut later).is_ready() || !request.let_calls_go().await {
            break;
        }
    }
    later
}

async fn end(mut later: Later<'_>) -> ServerResult<Vec<Placed>> {
    (&mut later).await;
    Pin::new(&mut later).take_output().unwrap_or(Ok(Vec::new()))
}

type Object = IndexMap<Name, Value>;

/// A selection of nothing but fields with names of their own, those of fragments on the same type included.
struct Plain<'a> {
    fields: Vec<&'a Positioned<Field>>,
    /// A place for each of them, in order.
    empty: Object,
}

impl<'a> Plain<'a> {
    /// `None` when there is more to it: directives, fragments on other types, fields that have to be merged.
    fn of<T: OutputType>(ctx: &ContextSelectionSet<'a>) -> Option<Self> {
        let most = ctx.item.node.items.len();
        let mut plain = Self { fields: Vec::with_capacity(most), empty: IndexMap::with_capacity(most) };
        plain.add(ctx, &ctx.item.node, &T::type_name()).then_some(plain)
    }

    fn add(&mut self, ctx: &ContextSelectionSet<'a>, selected: &'a SelectionSet, own: &str) -> bool {
        selected.items.iter().all(|selection| match &selection.node {
            Selection::Field(field) => {
                self.fields.push(field);
                let key = field.node.response_key().node.clone();
                field.node.directives.is_empty() && self.empty.insert(key, Value::Null).is_none()
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

    /// The places of the fields that are not at hand.
    fn later<T: AtHand>(&self, of: &T) -> impl Iterator<Item = usize> {
        let is_later = |field: &Positioned<Field>| {
            let name = &*field.node.name.node;
            name != TYPENAME && !of.has(name)
        };
        self.fields.iter().enumerate().filter(move |(_, field)| is_later(field)).map(|(place, _)| place)
    }

    /// The object with what is at hand.
    fn now<T: AtHand>(&self, of: &T, ctx: &ContextSelectionSet<'_>) -> ServerResult<Object> {
        // A copy needs no hashing.
        let mut object = self.empty.clone();
        for (value, field) in object.values_mut().zip(&self.fields) {
            if let Some(resolved) = resolve_now(of, ctx, field) {
                *value = resolved?;
            }
        }
        Ok(object)
    }

    /// The rows as JSON, and where in it each field is missing that is not at hand.
    fn list<T: AtHand>(&self, rows: &[T], ctx: &ContextSelectionSet<'_>) -> ServerResult<(Vec<u8>, Vec<usize>)> {
        let mut gaps = Vec::new();
        let text = json::list(rows, self.fields.len() * BYTES_OF_A_FIELD, |at, row, to| {
            let ctx = ctx.with_index(at);
            to.push(b'{');
            for (at, field) in self.fields.iter().enumerate() {
                json::key(at, &field.node.response_key().node, to);
                match resolve_now(row, &ctx, field) {
                    Some(value) => json::write(&value?, to),
                    None => gaps.push(to.len()),
                }
            }
            to.push(b'}');
            ServerResult::Ok(())
        })?;
        Ok((text, gaps))
    }
}

/// About how long the text of a field is, with its name.
const BYTES_OF_A_FIELD: usize = 40;

const TYPENAME: &str = "__typename";

/// What is at hand; `None` for a field that is not.
fn resolve_now<T: AtHand>(
    of: &T,
    ctx: &ContextSelectionSet<'_>,
    field: &Positioned<Field>,
) -> Option<ServerResult<Value>> {
    let name = &*field.node.name.node;
    if name == TYPENAME {
        return Some(Ok(Value::String(T::type_name().into_owned())));
    }
    if !of.has(name) {
        return None;
    }
    let ctx = ctx.with_field(field);
    let resolved = pin!(of.resolve_field(&ctx));
    Some(match resolved.poll(&mut Context::from_waker(Waker::noop())) {
        Poll::Ready(value) => value.map(Option::unwrap_or_default),
        Poll::Pending => Err(ServerError::new(format!("`{name}` is not at hand"), Some(field.pos))),
    })
}

/// Boxed here and not where it is awaited: a contact has tasks that have a contact.
fn resolve_later<'a, T: AtHand>(
    of: &'a T,
    ctx: &'a ContextSelectionSet<'a>,
    field: &'a Positioned<Field>,
    place: (usize, usize),
) -> BoxFuture<'a, ServerResult<Placed>> {
    Box::pin(async move {
        let ctx = ctx.with_field(field);
        Ok((place, of.resolve_field(&ctx).await?.unwrap_or_default()))
    })
}
