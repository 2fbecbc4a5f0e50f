//! The contact that `demo` shows, made by hand: enough of everything to tell a story.

use super::{
    super::store::Record,
    DEMO_CONTACT,
    people::DEMO_COMPANY,
    words::{CALENDARS, STAFF},
};
use serde_json::{Value, json};

const PRIYA: &str = STAFF[0].0;
const MARCUS: &str = STAFF[1].0;

pub(super) fn record(location_id: &str, business_id: &str) -> Record {
    Record {
        contact: contact(location_id, business_id),
        tasks: tasks(),
        notes: notes(),
        appointments: appointments(location_id),
    }
}

fn contact(location_id: &str, business_id: &str) -> Value {
    json!({
        "id": DEMO_CONTACT,
        "locationId": location_id,
        "firstName": "Amara",
        "lastName": "Lindqvist",
        "email": "Amara.Lindqvist@example.com",
        "phone": "+15550100142",
        "companyName": DEMO_COMPANY,
        "businessId": business_id,
        "website": "https://harborlight.example",
        "type": "customer",
        "source": "referral",
        "timezone": "America/New_York",
        "address1": "14 Wharf Street",
        "city": "Portland",
        "state": "ME",
        "postalCode": "04101",
        "country": "US",
        "dateOfBirth": "1984-11-02",
        "assignedTo": PRIYA,
        "dnd": false,
        "dndSettings": {"SMS": {"status": "inactive"}, "Email": {"status": "inactive"}},
        "tags": ["customer", "vip", "seo", "website project"],
        "customFields": [
            {"id": "fHe4rdAb0utUs7Qw2Er5", "value": "a friend"},
            {"id": "fSe4tsC0untTy8Ui3Op1", "value": 24},
            {"id": "fServ1cesZx6Cv9Bn4Ml", "value": ["seo", "website"]},
        ],
        "additionalEmails": [],
        "dateAdded": "2026-01-19T14:12:41.000Z",
        "dateUpdated": "2026-06-12T18:05:09.000Z",
        "lastActivity": "2026-06-12T18:05:09.000Z",
    })
}

fn tasks() -> Vec<Value> {
    let task = |id: &str, title: &str, body: &str, due: &str, completed: bool, who: &str| {
        json!({
            "id": id,
            "title": title,
            "body": body,
            "assignedTo": who,
            "dueDate": due,
            "completed": completed,
            "contactId": DEMO_CONTACT,
        })
    };
    vec![
        task(
            "tAutumnPr0posa1Ke5Wd",
            "Send the proposal for the autumn campaign",
            "Three variants, the middle one at $1,200 a month. Amara needs it before her supplier meeting.",
            "2026-06-11T20:00:00.000Z",
            false,
            PRIYA,
        ),
        task(
            "tPhot0graph3rMe7Xu4B",
            "Book the photographer for the new menu",
            "Morning light, before 10.",
            "2026-06-17T17:00:00.000Z",
            false,
            MARCUS,
        ),
        task("tQuart3rReportYs6Vp9", "Prepare the quarterly report", "", "2026-06-30T16:00:00.000Z", false, PRIYA),
        task(
            "tRevi3wRequestsLo8Qa",
            "Switch on review requests after each online order",
            "Text message, one day after pick-up.",
            "2026-06-02T18:00:00.000Z",
            true,
            MARCUS,
        ),
    ]
}

fn notes() -> Vec<Value> {
    let note = |id: &str, title: &str, body: &str, added: &str, pinned: bool, who: &str| {
        json!({
            "id": id,
            "title": title,
            "body": body,
            "userId": who,
            "color": "#FFAA00",
            "pinned": pinned,
            "dateAdded": added,
            "contactId": DEMO_CONTACT,
        })
    };
    vec![
        note(
            "nC4llBackJun3Zr5Tg8W",
            "Call",
            "Amara called about the autumn campaign: the proposal is late and she meets her supplier on Thursday. \
             Promised to call back on Tuesday before noon, Eastern time.",
            "2026-06-12T18:05:09.000Z",
            false,
            PRIYA,
        ),
        note(
            "nSec0ndSh0pHk4Dv7Ys1",
            "Second shop",
            "She signs the lease for a second shop in South Portland in September. Wants one website with a page \
             per shop, and separate call tracking numbers.",
            "2026-05-19T15:02:00.000Z",
            false,
            MARCUS,
        ),
        note(
            "nD0NotD1scountQb6Fx2",
            "Before talking about money",
            "Pays on time and never haggles. No discounts: she asked for the same price every month, planned a year ahead.",
            "2026-01-26T21:30:00.000Z",
            true,
            PRIYA,
        ),
    ]
}

fn appointments(location_id: &str) -> Vec<Value> {
    let event = |id: &str, calendar: &str, title: &str, status: &str, [start, end, booked]: [&str; 3], notes: &str| {
        json!({
            "id": id,
            "calendarId": calendar,
            "status": "booked",
            "appointmentStatus": status,
            "title": title,
            "assignedUserId": MARCUS,
            "users": [MARCUS, PRIYA],
            "notes": notes,
            "startTime": start,
            "endTime": end,
            "address": "Harbor Light Bakery, 14 Wharf Street, Portland",
            "locationId": location_id,
            "contactId": DEMO_CONTACT,
            "dateAdded": booked,
            "dateUpdated": booked,
        })
    };
    vec![
        event(
            "eSpr1ngR3viewGt7Mc4L",
            CALENDARS[2],
            "Spring review with Amara",
            "showed",
            ["2026-05-19T14:00:00Z", "2026-05-19T14:45:00Z", "2026-05-04T13:20:00Z"],
            "Online orders up 31 percent since the new booking page.",
        ),
        event(
            "eAutumnK1ck0ffWp9Sj5",
            CALENDARS[0],
            "Autumn campaign kick-off with Amara",
            "confirmed",
            ["2026-06-18T14:30:00Z", "2026-06-18T15:30:00Z", "2026-06-08T16:40:00Z"],
            "Bring the three variants of the proposal, printed.",
        ),
    ]
}
