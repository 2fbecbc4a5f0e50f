//! The upstream's route for a contact's appointments, and how its answer becomes [`Appointment`]s.

use serde::Deserialize;

use super::AppointmentStatus;
use super::model::Appointment;
use crate::upstream::wire::{self, Text};
use crate::upstream::{Account, Error, Id, Route};

/// All appointments of a contact. A route of the contacts family, with its version, although its records come
/// from calendars.
pub const LIST: Route = Route::read_contacts("GET /contacts/{contactId}/appointments");

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Wire {
    #[serde(default, deserialize_with = "wire::text")]
    id: Text,
    #[serde(default, rename = "_id", deserialize_with = "wire::text")]
    underscore_id: Text,
    #[serde(default, deserialize_with = "wire::text")]
    title: Text,
    #[serde(default, deserialize_with = "wire::text")]
    appointment_status: Text,
    #[serde(default, deserialize_with = "wire::text")]
    status: Text,
    #[serde(default, deserialize_with = "wire::text")]
    start_time: Text,
    #[serde(default, deserialize_with = "wire::text")]
    end_time: Text,
    #[serde(default, deserialize_with = "wire::text")]
    address: Text,
    #[serde(default, deserialize_with = "wire::text")]
    notes: Text,
    #[serde(default, deserialize_with = "wire::text")]
    calendar_id: Text,
    #[serde(default, deserialize_with = "wire::text")]
    group_id: Text,
    #[serde(default, deserialize_with = "wire::text")]
    assigned_user_id: Text,
    #[serde(default, deserialize_with = "wire::texts")]
    users: Vec<Box<str>>,
    #[serde(default, deserialize_with = "wire::text")]
    date_added: Text,
    #[serde(default, deserialize_with = "wire::text")]
    date_updated: Text,
    #[serde(default, deserialize_with = "wire::text")]
    contact_id: Text,
}

fn appointment(account: &Account, contact: &Id, wire: Wire) -> Result<Appointment, Error> {
    let id = wire::first_of([wire.id, wire.underscore_id]);
    let moment = |text: Text| wire::moment(text.as_deref(), &account.timezone);
    // Both are sent; `appointmentStatus` is the one that the calendar shows.
    let status = wire::first_of([wire.appointment_status, wire.status]);
    Ok(Appointment {
        id: id.ok_or_else(|| Error::bad_response(LIST.template, "an appointment without an id"))?,
        contact_id: wire::first_of([wire.contact_id]).unwrap_or_else(|| contact.as_str().into()),
        title: wire.title,
        status: status.and_then(|word| read_status(&word).or_else(wire::note_unreadable)),
        start_time: moment(wire.start_time),
        end_time: moment(wire.end_time),
        address: wire.address,
        notes: wire.notes,
        calendar_id: wire.calendar_id,
        group_id: wire.group_id,
        assigned_user_id: wire.assigned_user_id,
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
    struct Envelope {
        #[serde(deserialize_with = "wire::list")]
        events: Vec<Wire>,
    }
    let envelope: Envelope = wire::decode(LIST.template, body)?;
    let events = envelope.events.into_iter();
    events.map(|wire| appointment(account, contact, wire)).collect()
}
