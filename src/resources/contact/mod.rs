//! Contacts: the type that everything hangs on, and the fields that find them.

pub(crate) mod api;
pub(in crate::resources) mod cost;
mod input;
mod list;
mod loader;
mod look;
pub(in crate::resources) mod model;
mod mutation;
mod parts;
mod query;
mod search;
mod subscription;
mod walk;
mod wire;
mod workflow;
mod writes;

use std::sync::Arc;

use async_graphql::{Context, ID, Object};

use loader::Among;
pub use loader::{ALL, OF_A_BUSINESS, SEARCHED};
pub use loader::{ContactById, first_of_location};
pub(in crate::resources) use look::is_here;
use model::{Part, Parts};
pub use mutation::ContactMutation;
pub(in crate::resources) use mutation::of_deleted;
use parts::{Address, CustomFieldValue};
pub use query::ContactQuery;
pub(in crate::resources) use query::{of_record, one_of_many};
pub use subscription::ContactSubscription;
pub use workflow::start_workflow;

use super::appointment::{self, Appointment, AppointmentStatus};
use super::note::{self, Note};
use super::task::{self, Task, TaskStatus};
use super::{Started, contact_id};
use crate::graph::filter::{Span, first_or_all};
use crate::graph::{AtHand, DateTime, Error, Request, Rows};
use crate::upstream::Id;

/// A contact as GraphQL shows it: what is known of it, the rest loaded when it is asked for.
pub struct Contact {
    seen: Arc<model::Contact>,
    /// The readings of its nested lists that were begun before it was there itself.
    started: Started,
}

impl Contact {
    fn new(seen: Arc<model::Contact>) -> Self {
        Self { seen, started: Started::default() }
    }

    fn id(&self) -> Result<Id, Error> {
        contact_id(self.seen.id())
    }

    /// The contact with these parts: as it is, or loaded by its id when what is known does not tell them.
    async fn with(&self, ctx: &Context<'_>, needs: Parts) -> Result<Arc<model::Contact>, Error> {
        if self.seen.known.contains(needs) {
            return Ok(self.seen.clone());
        }
        let request = Request::of(ctx);
        let question = ContactById::new(request.account().clone(), self.id()?);
        let whole = request.load(ContactById { needs, among: Among::of(&request), ..question }).await?;
        // Gone since its row was read: what the row told is all that there is.
        Ok(whole.unwrap_or_else(|| self.seen.clone()))
    }

    async fn part<T>(
        &self,
        ctx: &Context<'_>,
        part: Part,
        pick: impl FnOnce(&model::Contact) -> Option<T>,
    ) -> Option<Result<T, Error>> {
        match self.with(ctx, Parts::NONE.with(part)).await {
            Ok(contact) => pick(&contact).map(Ok),
            Err(error) => Some(Err(error)),
        }
    }

    async fn text(&self, ctx: &Context<'_>, part: Part) -> Option<Result<String, Error>> {
        self.part(ctx, part, |contact| contact.text(part).map(str::to_owned)).await
    }
}

impl AtHand for Contact {
    fn has(&self, field: &str) -> bool {
        match field {
            "id" | "locationId" => true,
            field => Part::of_field(field).is_some_and(|part| self.seen.known.contains(Parts::NONE.with(part))),
        }
    }
}

/// A person or company in the location's CRM.
#[Object]
impl Contact {
    /// The contact's id upstream.
    #[graphql(name = "id")]
    async fn graphql_id(&self) -> ID {
        ID::from(self.seen.id())
    }

    /// The location that the contact belongs to.
    async fn location_id(&self) -> ID {
        ID::from(self.seen.location_id())
    }

    /// The full name; first and last name where the upstream has no full one.
    async fn name(&self, ctx: &Context<'_>) -> Option<Result<String, Error>> {
        self.text(ctx, Part::Name).await
    }

    /// The first name.
    async fn first_name(&self, ctx: &Context<'_>) -> Option<Result<String, Error>> {
        self.text(ctx, Part::FirstName).await
    }

    /// The last name.
    async fn last_name(&self, ctx: &Context<'_>) -> Option<Result<String, Error>> {
        self.text(ctx, Part::LastName).await
    }

    /// The mail address.
    async fn email(&self, ctx: &Context<'_>) -> Option<Result<String, Error>> {
        self.text(ctx, Part::Email).await
    }

    /// The phone number, E.164 as a rule.
    async fn phone(&self, ctx: &Context<'_>) -> Option<Result<String, Error>> {
        self.text(ctx, Part::Phone).await
    }

    /// The company's name, as free text; a linked business is `businessId`.
    async fn company(&self, ctx: &Context<'_>) -> Option<Result<String, Error>> {
        self.text(ctx, Part::Company).await
    }

    /// The website.
    async fn website(&self, ctx: &Context<'_>) -> Option<Result<String, Error>> {
        self.text(ctx, Part::Website).await
    }

    /// What the contact is to the location, for example `lead` or `customer`.
    #[graphql(name = "type")]
    async fn kind(&self, ctx: &Context<'_>) -> Option<Result<String, Error>> {
        self.text(ctx, Part::Type).await
    }

    /// Where the contact came from.
    async fn source(&self, ctx: &Context<'_>) -> Option<Result<String, Error>> {
        self.text(ctx, Part::Source).await
    }

    /// The time zone, as an IANA name.
    async fn timezone(&self, ctx: &Context<'_>) -> Option<Result<String, Error>> {
        self.text(ctx, Part::Timezone).await
    }

    /// The tags.
    async fn tags(&self, ctx: &Context<'_>) -> Option<Result<Vec<String>, Error>> {
        let tags = |c: &model::Contact| Some(c.tags.iter().map(|tag| tag.to_string()).collect());
        self.part(ctx, Part::Tags, tags).await
    }

    /// Whether the contact does not want to be disturbed, on any channel.
    async fn dnd(&self, ctx: &Context<'_>) -> Option<Result<bool, Error>> {
        self.part(ctx, Part::Dnd, |c| c.dnd).await
    }

    /// The postal address; its parts are null where the upstream has none.
    async fn address(&self, ctx: &Context<'_>) -> Option<Result<Address, Error>> {
        let needs = Address::needs(&ctx.look_ahead());
        Some(self.with(ctx, needs).await.map(|contact| Address::of(&contact)))
    }

    /// The date of birth, as the upstream has it.
    async fn date_of_birth(&self, ctx: &Context<'_>) -> Option<Result<String, Error>> {
        self.text(ctx, Part::DateOfBirth).await
    }

    /// Id of the user whom the contact is assigned to.
    async fn assigned_to(&self, ctx: &Context<'_>) -> Option<Result<ID, Error>> {
        self.part(ctx, Part::AssignedTo, |c| c.text(Part::AssignedTo).map(ID::from)).await
    }

    /// Id of the business that the contact is linked to.
    async fn business_id(&self, ctx: &Context<'_>) -> Option<Result<ID, Error>> {
        self.part(ctx, Part::BusinessId, |c| c.text(Part::BusinessId).map(ID::from)).await
    }

    /// The custom fields that have a value.
    async fn custom_fields(&self, ctx: &Context<'_>) -> Option<Result<Vec<CustomFieldValue>, Error>> {
        let fields = |c: &model::Contact| Some(c.custom_fields.iter().map(CustomFieldValue::of).collect());
        self.part(ctx, Part::CustomFields, fields).await
    }

    /// When the contact was created.
    async fn date_created(&self, ctx: &Context<'_>) -> Option<Result<DateTime, Error>> {
        self.part(ctx, Part::DateCreated, |c| c.date_created.map(DateTime::at)).await
    }

    /// When the contact was last changed.
    async fn date_updated(&self, ctx: &Context<'_>) -> Option<Result<DateTime, Error>> {
        self.part(ctx, Part::DateUpdated, |c| c.date_updated.map(DateTime::at)).await
    }

    /// The contact's tasks, in the upstream's order. Filters cost no further call: the upstream sends all tasks
    /// of a contact at once.
    async fn tasks(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "Only tasks with this status.")] status: Option<TaskStatus>,
        #[graphql(desc = "Only tasks due at this moment or later.")] due_after: Option<DateTime>,
        #[graphql(desc = "Only tasks due before this moment.")] due_before: Option<DateTime>,
        #[graphql(desc = "At most so many, from 1 to 500, after the other filters.")] first: Option<i32>,
    ) -> Option<Result<Rows<Task>, Error>> {
        let due = Span::of(("dueAfter", due_after), ("dueBefore", due_before));
        Some(
            async {
                task::of_contact(ctx, self.id()?, self.started.tasks.clone(), status, due?, first_or_all(first)?).await
            }
            .await,
        )
    }

    /// The contact's notes, in the upstream's order: the newest first. Filters cost no further call: the
    /// upstream sends all notes of a contact at once.
    async fn notes(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "Only notes created at this moment or later.")] created_after: Option<DateTime>,
        #[graphql(desc = "Only notes created before this moment.")] created_before: Option<DateTime>,
        #[graphql(desc = "At most so many, from 1 to 500, after the other filters.")] first: Option<i32>,
    ) -> Option<Result<Rows<Note>, Error>> {
        let created = Span::of(("createdAfter", created_after), ("createdBefore", created_before));
        Some(
            async {
                note::of_contact(ctx, self.id()?, self.started.notes.clone(), created?, first_or_all(first)?).await
            }
            .await,
        )
    }

    /// The contact's appointments, in the upstream's order. Filters cost no further call: the upstream sends all
    /// appointments of a contact at once.
    async fn appointments(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "Only appointments with this status.")] status: Option<AppointmentStatus>,
        #[graphql(desc = "Only appointments that start at this moment or later.")] starts_after: Option<DateTime>,
        #[graphql(desc = "Only appointments that start before this moment.")] starts_before: Option<DateTime>,
        #[graphql(desc = "At most so many, from 1 to 500, after the other filters.")] first: Option<i32>,
    ) -> Option<Result<Rows<Appointment>, Error>> {
        let starts = Span::of(("startsAfter", starts_after), ("startsBefore", starts_before));
        Some(
            async {
                appointment::of_contact(
                    ctx,
                    self.id()?,
                    self.started.appointments.clone(),
                    status,
                    starts?,
                    first_or_all(first)?,
                )
                .await
            }
            .await,
        )
    }
}
