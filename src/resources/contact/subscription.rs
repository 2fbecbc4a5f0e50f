//! The fields of `Subscription`, and what they tell.
//!
//! A subscription is executed once when it begins, to find out what it watches for, and then once for each change: the
//! fields below are asked each time, and the request says which of the two it is.

use std::sync::Arc;

use async_graphql::{Context, Enum, ID, InputObject, Object, Subscription};
use futures_util::stream::{Stream, iter};

use super::cost::WATCH;
use super::query::of_record;
use super::{Contact, first_of_location};
use crate::changes::{self, Notice};
use crate::graph::{Error, InPlace, Live, Request, Wanted};
use crate::resources::{Started, contact_id};

/// What happened to something.
#[derive(Enum, Clone, Copy, Debug, PartialEq, Eq)]
#[graphql(remote = "changes::ChangeKind")]
pub enum ChangeKind {
    /// It was made.
    Created,
    /// It is another now, or may be: where it is not known what came of a change, this says to look.
    Updated,
    /// It is gone.
    Deleted,
}

/// What sort of thing changed.
#[derive(Enum, Clone, Copy, Debug, PartialEq, Eq)]
#[graphql(remote = "changes::ChangedResource")]
pub enum ChangedResource {
    /// The contact itself, its tags included.
    Contact,
    /// One of its tasks.
    Task,
    /// One of its notes.
    Note,
    /// One of its appointments.
    Appointment,
}

/// Which changes are told. All given parts must hold.
#[derive(InputObject)]
pub struct ContactChangeFilter {
    /// Only what happened in one of these ways; every way when it is left out.
    kinds: Option<Vec<ChangeKind>>,
    /// Only what happened to one of these sorts of things; to all sorts when it is left out.
    resources: Option<Vec<ChangedResource>>,
}

impl ContactChangeFilter {
    fn wanted(self) -> Result<Wanted, Error> {
        Ok(Wanted { contact: None, kinds: each("kinds", self.kinds)?, resources: each("resources", self.resources)? })
    }
}

/// Each value that was given, once; none where all are meant.
fn each<T, U: From<T> + PartialEq>(name: &str, given: Option<Vec<T>>) -> Result<Box<[U]>, Error> {
    let Some(given) = given else { return Ok(Box::default()) };
    if given.is_empty() {
        return Err(Error::bad_input(format!("`{name}` is empty: nothing would ever be told.")));
    }
    let mut values = Vec::new();
    for value in given.into_iter().map(U::from) {
        if !values.contains(&value) {
            values.push(value);
        }
    }
    Ok(values.into())
}

/// Something of a contact changed.
pub struct ContactChange(Arc<Notice>);

/// Something of a contact changed. A change may be told twice, and several of the same in a row once.
#[Object]
impl ContactChange {
    /// What happened to it.
    async fn kind(&self) -> ChangeKind {
        self.0.change.kind.into()
    }

    /// What changed.
    async fn resource(&self) -> ChangedResource {
        self.0.change.resource.into()
    }

    /// Id of what changed, when the event tells it.
    async fn resource_id(&self) -> Option<ID> {
        self.0.change.resource_id.as_deref().map(ID::from)
    }

    /// Id of the contact that it is of.
    async fn contact_id(&self) -> ID {
        ID::from(&*self.0.change.contact)
    }

    /// The contact as it is now, read after the change; null when it was deleted or is not there.
    async fn contact(&self, ctx: &Context<'_>) -> Option<Result<InPlace<Contact>, Error>> {
        let change = &self.0.change;
        if change.resource == changes::ChangedResource::Contact && change.kind == changes::ChangeKind::Deleted {
            return None;
        }
        of_record(ctx, &change.contact, &Started::default()).await
    }
}

/// Changes, told as they happen.
pub struct ContactSubscription;

/// Changes, told as they happen, from the upstream's webhooks, from what is changed through the gateway, and, where
/// the location has no webhooks, from looking now and then.
#[Subscription(name = "Subscription")]
impl ContactSubscription {
    /// Every change of one contact, its tasks, notes and appointments.
    async fn contact_changed(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "The contact's id upstream.")] id: ID,
    ) -> Result<impl Stream<Item = ContactChange>, Error> {
        let id = contact_id(&id)?;
        live(ctx, Wanted::of_contact(id.as_str())).await
    }

    /// Every change in the caller's location.
    async fn contacts_changed(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "Which changes are told; all when it is left out.")] filter: Option<ContactChangeFilter>,
    ) -> Result<impl Stream<Item = ContactChange>, Error> {
        let all = ContactChangeFilter { kinds: None, resources: None };
        live(ctx, filter.unwrap_or(all).wanted()?).await
    }
}

/// The change that is told, if this is an execution for one; else it is noted what is watched for.
async fn live(ctx: &Context<'_>, wanted: Wanted) -> Result<impl Stream<Item = ContactChange> + use<>, Error> {
    let request = Request::of(ctx);
    request.may(WATCH)?;
    let told = match &request.live {
        Live::Told(notice) => Some(ContactChange(notice.clone())),
        Live::Begins(noted) => {
            // Nobody here knows what a caller's own credential opens, and what changes is told without it.
            if request.account().is_callers() {
                request.load(first_of_location(request.account().clone())).await?;
            }
            let _ = noted.set(wanted);
            None
        }
        Live::No => None,
    };
    Ok(iter(told))
}
