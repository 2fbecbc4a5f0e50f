//! What the fields of contacts and of their lists cost.

use super::api;
use super::list::seen;
use super::loader::{ContactById, PAGE_LIMIT};
use super::model::{Part, Parts};
use super::walk::SPARE_PAGES;
use crate::graph::cost::{Call, Change, Cost, Fields, Pages};
use crate::graph::{Request, Scope};
use crate::resources::appointment::cost::APPOINTMENTS;
use crate::resources::note::cost::NOTES;
use crate::resources::task::cost::TASKS;
use crate::upstream::Id;

/// One contact.
pub static CONTACT: Call = Call::read(api::ONE, "a contact", |ttls| ttls.contact, is_held);

fn is_held(request: &Request, ids: &[Id], parts: &[&str]) -> bool {
    let [id] = ids else { return false };
    let needs: Parts = parts.iter().filter_map(|field| Part::of_field(field)).collect();
    request.has(&ContactById { needs, ..ContactById::new(request.account().clone(), id.clone()) }).is_some()
}

const fn pages(page: Call, of: Option<&'static str>, first: usize) -> Pages {
    Pages { page, row: &CONTACT, of, first, most: PAGE_LIMIT, spare: SPARE_PAGES, seen }
}

const fn page(route: crate::upstream::Route, what: &'static str) -> Call {
    Call::read(route, what, |ttls| ttls.pages, |_, _, _| false)
}

static CONTACTS: Pages = pages(page(api::LIST, "a page of contacts"), None, super::query::FIRST);
static OF_BUSINESS: Pages = pages(
    page(api::OF_BUSINESS, "a page of a business' contacts"),
    Some("businessId"),
    super::query::FIRST_OF_BUSINESS,
);

const fn change(call: Call, ids: &'static [&'static str], told: &'static [&'static str]) -> Change {
    let before = if ids.is_empty() { None } else { Some(&CONTACT) };
    Change { call, ids, before, told }
}

static CREATE: Change = change(Call::write(api::CREATE, "a new contact"), &[], &[]);
static UPDATE: Change = change(Call::write(api::UPDATE, "changes to a contact"), &["id"], &[]);
static UPSERT: Change = change(Call::write(api::UPSERT, "a contact that is updated or new"), &[], &[]);
static DELETE: Change = change(Call::write(api::DELETE, "the end of a contact"), &["id"], &[]);
static ADD_TAGS: Change = change(Call::write(api::ADD_TAGS, "more tags for a contact"), &["contactId"], &["tags"]);
static REMOVE_TAGS: Change =
    change(Call::write(api::REMOVE_TAGS, "fewer tags for a contact"), &["contactId"], &["tags"]);

/// What it takes to be told of changes.
pub const WATCH: Scope = Scope::ContactsReadonly;

/// A part that rows of lists tell, as they were seen live.
const IN_ROWS: Cost = Cost::Part { of: &CONTACT, in_rows: true };

/// The types of this resource.
pub const FIELDS: &[Fields] = &[
    Fields {
        on: "Query",
        costs: &[
            ("contact", Cost::Record(&CONTACT, &["id"])),
            ("contactsByIds", Cost::Records(&CONTACT, "ids")),
            ("contacts", Cost::List(&CONTACTS)),
            ("contactsByBusiness", Cost::List(&OF_BUSINESS)),
        ],
        at_hand: &[],
    },
    Fields {
        on: "Mutation",
        costs: &[
            ("createContact", Cost::Change(&CREATE)),
            ("updateContact", Cost::Change(&UPDATE)),
            ("upsertContact", Cost::Change(&UPSERT)),
            ("deleteContact", Cost::Change(&DELETE)),
            ("addContactTags", Cost::Change(&ADD_TAGS)),
            ("removeContactTags", Cost::Change(&REMOVE_TAGS)),
        ],
        at_hand: &[],
    },
    Fields {
        on: "Subscription",
        costs: &[("contactChanged", Cost::Watch(WATCH)), ("contactsChanged", Cost::Watch(WATCH))],
        at_hand: &[],
    },
    Fields {
        on: "ContactChange",
        costs: &[("contact", Cost::Contact(&CONTACT))],
        at_hand: &["kind", "resource", "resourceId", "contactId"],
    },
    Fields {
        on: "Contact",
        costs: &[
            ("name", IN_ROWS),
            ("firstName", IN_ROWS),
            ("lastName", IN_ROWS),
            ("email", IN_ROWS),
            ("phone", IN_ROWS),
            ("company", IN_ROWS),
            ("website", IN_ROWS),
            ("type", IN_ROWS),
            ("source", IN_ROWS),
            // Declared of rows, and not seen in them.
            ("timezone", Cost::Part { of: &CONTACT, in_rows: false }),
            ("tags", IN_ROWS),
            ("dnd", IN_ROWS),
            ("dateOfBirth", IN_ROWS),
            ("assignedTo", IN_ROWS),
            ("businessId", IN_ROWS),
            ("customFields", IN_ROWS),
            ("dateCreated", IN_ROWS),
            ("dateUpdated", IN_ROWS),
            ("tasks", Cost::OfContact(&TASKS)),
            ("notes", Cost::OfContact(&NOTES)),
            ("appointments", Cost::OfContact(&APPOINTMENTS)),
        ],
        // What an address costs, its fields say.
        at_hand: &["id", "locationId", "address"],
    },
    Fields {
        on: "Address",
        costs: &[
            ("line1", IN_ROWS),
            ("city", IN_ROWS),
            ("state", IN_ROWS),
            ("postalCode", IN_ROWS),
            ("country", IN_ROWS),
        ],
        at_hand: &[],
    },
    Fields { on: "CustomFieldValue", costs: &[], at_hand: &["id", "value"] },
    Fields { on: "ContactConnection", costs: &[], at_hand: &["edges", "nodes", "pageInfo", "totalCount"] },
    Fields { on: "ContactEdge", costs: &[], at_hand: &["node", "cursor"] },
    Fields {
        on: "PageInfo",
        costs: &[("hasNextPage", Cost::NextPage)],
        at_hand: &["hasPreviousPage", "startCursor", "endCursor"],
    },
    Fields { on: "CreateContactPayload", costs: &[], at_hand: &["contact"] },
    Fields { on: "UpdateContactPayload", costs: &[], at_hand: &["contact"] },
    Fields { on: "UpsertContactPayload", costs: &[], at_hand: &["created", "contact"] },
    Fields { on: "DeleteContactPayload", costs: &[], at_hand: &["deletedId"] },
    Fields { on: "AddContactTagsPayload", costs: &[], at_hand: &["contact"] },
    Fields { on: "RemoveContactTagsPayload", costs: &[], at_hand: &["contact"] },
];
