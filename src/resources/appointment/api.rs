//! The upstream's route for a contact's appointments, and how its answer becomes [`Appointment`]s.

use serde::Deserialize;

use super::AppointmentStatus;
use super::model::Appointment;
use crate::resources::texts::Texts;
use crate::upstream::wire::{self, Spoken};
use crate::upstream::{Account, Error, Id, Route};

/// All appointments of a contact. A route of the contacts family, with its version, although its records come
/// from calendars.
pub const LIST: Route = Route::read_contacts("GET /contacts/{contactId}/appointments");

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Wire<'a> {
    #[serde(borrow, default, deserialize_with = "wire::spoken")]
    id: Spoken<'a>,
    #[serde(borrow, default, rename = "_id", deserialize_with = "wire::spoken")]
    underscore_id: Spoken<'a>,
    #[serde(borrow, default, deserialize_with = "wire::spoken")]
    title: Spoken<'a>,
    #[serde(borrow, default, deserialize_with = "wire::spoken")]
    appointment_status: Spoken<'a>,
    #[serde(borrow, default, deserialize_with = "wire::spoken")]
    status: Spoken<'a>,
    #[serde(borrow, default, deserialize_with = "wire::spoken")]
    start_time: Spoken<'a>,
    #[serde(borrow, default, deserialize_with = "wire::spoken")]
    end_time: Spoken<'a>,
    #[serde(borrow, default, deserialize_with = "wire::spoken")]
    address: Spoken<'a>,
    #[serde(borrow, default, deserialize_with = "wire::spoken")]
    notes: Spoken<'a>,
    #[serde(borrow, default, deserialize_with = "wire::spoken")]
    calendar_id: Spoken<'a>,
    #[serde(borrow, default, deserialize_with = "wire::spoken")]
    group_id: Spoken<'a>,
    #[serde(borrow, default, deserialize_with = "wire::spoken")]
    assigned_user_id: Spoken<'a>,
    #[serde(default, deserialize_with = "wire::texts")]
    users: Vec<Box<str>>,
    #[serde(borrow, default, deserialize_with = "wire::spoken")]
    date_added: Spoken<'a>,
    #[serde(borrow, default, deserialize_with = "wire::spoken")]
    date_updated: Spoken<'a>,
    #[serde(borrow, default, deserialize_with = "wire::spoken")]
    contact_id: Spoken<'a>,
}

fn appointment(account: &Account, contact: &Id, wire: Wire<'_>) -> Result<Appointment, Error> {
    let id = wire::first_of([wire.id, wire.underscore_id]);
    let moment = |text: Spoken<'_>| wire::moment(text.as_deref(), &account.timezone);
    // Both are sent; `appointmentStatus` is the one that the calendar shows.
    let status = wire::first_of([wire.appointment_status, wire.status]);
    let id = id.ok_or_else(|| Error::bad_response(LIST.template, "an appointment without an id"))?;
    let contact = wire::first_of([wire.contact_id]).unwrap_or_else(|| contact.as_str().into());
    let texts = [
        Some(id),
        Some(contact),
        wire.title,
        wire.address,
        wire.notes,
        wire.calendar_id,
        wire.group_id,
        wire.assigned_user_id,
    ];
    Ok(Appointment {
        texts: Texts::new(texts.each_ref().map(Option::as_deref)),
        status: status.and_then(|word| read_status(&word).or_else(wire::note_unreadable)),
        start_time: moment(wire.start_time),
        end_time: moment(wire.end_time),
        users: wire.users.into(),
        date_created: moment(wire.date_added),
        date_updated: moment(wire.date_updated),
    })
}

fn read_status(word: &str) -> Option<AppointmentStatus> {
    use AppointmentStatus::{Active, Booked, Cancelled, Completed, Confirmed, Invalid, New, NoShow, Showed};
    Some(match word.trim().to_ascii_lowercase().as_str() {
        "new" => New,
        "confirmed" => Confirmed,
        "cancelled" | "canceled" => Cancelled,
        "showed" => Showed,
        "noshow" | "no-show" | "no_show" => NoShow,
        "invalid" => Invalid,
        "active" => Active,
        "completed" => Completed,
        "booked" => Booked,
        _ => return None,
    })
}

/// The body of [`LIST`]; its key is `events`.
pub fn list(account: &Account, contact: &Id, body: &[u8]) -> Result<Vec<Appointment>, Error> {
    #[derive(Deserialize)]
    struct Envelope<'a> {
        #[serde(borrow, deserialize_with = "wire::list")]
        events: Vec<Wire<'a>>,
    }
    let envelope: Envelope<'_> = wire::decode(LIST.template, body)?;
    let events = envelope.events.into_iter();
    events.map(|wire| appointment(account, contact, wire)).collect()
}
