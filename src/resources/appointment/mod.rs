//! Appointments: meetings with a contact.

pub(crate) mod api;
pub(in crate::resources) mod cost;
mod loader;
pub(in crate::resources) mod model;

use async_graphql::{Context, Enum, ID, Object};

pub use loader::AppointmentsOf;

use super::contact::{self, Contact};
use super::{Seen, Started, contact_id, record_id};
use crate::graph::filter::Span;
use crate::graph::{AtHand, Code, DateTime, Error, InPlace, Request, Rows};
use crate::upstream::{Id, Pending};

/// Where an appointment stands.
#[derive(Enum, Clone, Copy, Debug, PartialEq, Eq)]
pub enum AppointmentStatus {
    /// Asked for, not confirmed yet.
    New,
    /// Confirmed.
    Confirmed,
    /// Called off.
    Cancelled,
    /// The contact came.
    Showed,
    /// The contact did not come.
    #[graphql(name = "NOSHOW")]
    NoShow,
    /// Not a real one.
    Invalid,
    /// Going on.
    Active,
    /// Over.
    Completed,
    /// Booked.
    Booked,
}

/// An appointment as GraphQL shows it.
pub struct Appointment(Seen<model::Appointment>);

/// A meeting with a contact.
#[Object]
impl Appointment {
    /// The appointment's id upstream.
    async fn id(&self) -> ID {
        ID::from(self.0.id())
    }

    /// What it is about.
    async fn title(&self) -> Option<&str> {
        self.0.title()
    }

    /// Where it stands; null when the upstream says something that is not known here.
    async fn status(&self) -> Option<AppointmentStatus> {
        self.0.status
    }

    /// When it begins.
    async fn start_time(&self) -> Option<DateTime> {
        self.0.start_time.map(DateTime::at)
    }

    /// When it ends.
    async fn end_time(&self) -> Option<DateTime> {
        self.0.end_time.map(DateTime::at)
    }

    /// Where it takes place: an address or a link.
    async fn address(&self) -> Option<&str> {
        self.0.address()
    }

    /// What was noted for it.
    async fn notes(&self) -> Option<&str> {
        self.0.notes()
    }

    /// Id of the calendar that it is in.
    async fn calendar_id(&self) -> Option<ID> {
        self.0.calendar_id().map(ID::from)
    }

    /// Id of the group that the calendar belongs to.
    async fn group_id(&self) -> Option<ID> {
        self.0.group_id().map(ID::from)
    }

    /// Id of the user whom it is with.
    async fn assigned_user_id(&self) -> Option<ID> {
        self.0.assigned_user_id().map(ID::from)
    }

    /// Ids of all users who take part.
    async fn users(&self) -> Vec<ID> {
        self.0.users.iter().map(|user| ID::from(&**user)).collect()
    }

    /// When it was made.
    async fn date_created(&self) -> Option<DateTime> {
        self.0.date_created.map(DateTime::at)
    }

    /// When it was last changed.
    async fn date_updated(&self) -> Option<DateTime> {
        self.0.date_updated.map(DateTime::at)
    }

    /// Id of the contact that it is with.
    async fn contact_id(&self) -> ID {
        ID::from(self.0.contact_id())
    }

    /// The contact that it is with.
    async fn contact(&self, ctx: &Context<'_>) -> Option<Result<InPlace<Contact>, Error>> {
        contact::of_record(ctx, self.0.contact_id(), &Started::default()).await
    }
}

impl AtHand for Appointment {
    fn has(&self, field: &str) -> bool {
        field != "contact"
    }
}

/// The appointments of a contact that pass the filters.
pub async fn of_contact(
    ctx: &Context<'_>,
    contact: Id,
    started: Option<Pending>,
    status: Option<AppointmentStatus>,
    starts: Span,
    most: usize,
) -> Result<Rows<Appointment>, Error> {
    let request = Request::of(ctx);
    let key = AppointmentsOf::new(request.account().clone(), contact);
    let appointments = request.load_started(key, started).await?;
    let appointments =
        appointments.ok_or_else(|| Error::new(Code::NotFound, "The upstream has no such contact any more."))?;
    let wanted =
        |a: &Appointment| status.is_none_or(|status| a.0.status == Some(status)) && starts.holds(a.0.start_time);
    Ok(Rows(Seen::each(&appointments).map(Appointment).filter(wanted).take(most).collect()))
}

/// One appointment of a contact, found among all of them: the upstream tells none by itself.
pub async fn find(ctx: &Context<'_>, contact: &str, id: &str) -> Result<Option<Appointment>, Error> {
    let (contact, id) = (contact_id(contact)?, record_id(id)?);
    let request = Request::of(ctx);
    let all = request.load(AppointmentsOf::new(request.account().clone(), contact)).await?;
    let found = all.and_then(|all| Seen::each(&all).find(|one| one.id() == id.as_str()));
    Ok(found.map(Appointment))
}
