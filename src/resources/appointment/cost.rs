//! What the fields of appointments cost.

use super::api;
use super::loader::AppointmentsOf;
use crate::graph::Request;
use crate::graph::cost::{Call, Cost, Fields};
use crate::resources::contact::cost::CONTACT;
use crate::upstream::Id;

/// All appointments of a contact.
pub static APPOINTMENTS: Call =
    Call::read(api::LIST, "a contact's appointments", |ttls| ttls.appointments, is_list_held);

fn is_list_held(request: &Request, ids: &[Id], _: &[&str]) -> bool {
    let [contact] = ids else { return false };
    request.has(&AppointmentsOf::new(request.account().clone(), contact.clone())).is_some()
}

/// The types of this resource.
pub const FIELDS: &[Fields] = &[Fields {
    on: "Appointment",
    costs: &[("contact", Cost::Contact(&CONTACT))],
    at_hand: &[
        "id",
        "title",
        "status",
        "startTime",
        "endTime",
        "address",
        "notes",
        "calendarId",
        "groupId",
        "assignedUserId",
        "users",
        "dateCreated",
        "dateUpdated",
        "contactId",
    ],
}];
