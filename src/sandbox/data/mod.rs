//! The data of a marketing agency's CRM, the same for the same seed. The first contact is made by hand.

mod demo;
mod people;
pub(super) mod random;
mod seed_file;
mod words;
mod work;

use super::{
    options::Options,
    store::{Location, Record, Store},
};
use jiff::Timestamp;
use people::{Companies, People};
use random::Random;
pub use seed_file::Seed;

/// The moment that all data is relative to: 2026-06-15T15:00:00Z, a Monday.
pub const NOW: Timestamp = Timestamp::constant(1_781_535_600, 0);

/// The contact with a full profile, the first of every sandbox.
pub const DEMO_CONTACT: &str = "aM4raLqv7XbT2kW9hE3z";

const MINUTE: i64 = 60_000;
const HOUR: i64 = 60 * MINUTE;
const DAY: i64 = 24 * HOUR;

/// What a stream of random numbers is for.
#[derive(Clone, Copy)]
enum For {
    Location = 1,
    Contact,
    ContactId,
    Tasks,
    Notes,
    Appointments,
    Ids,
    Companies,
    BusinessIds,
    Phones,
}

fn stream(seed: u64, purpose: For, parts: &[usize]) -> Random {
    let parts = parts.iter().map(|part| *part as u64);
    Random::new(&[seed, purpose as u64].into_iter().chain(parts).collect::<Vec<_>>())
}

/// A location to be filled, and the token that opens it.
#[derive(Clone, Debug)]
pub(super) struct Place {
    pub location_id: String,
    pub token: String,
}

/// Ids and tokens do not follow the seed, so that settings written once go on working.
pub(super) fn places(count: usize) -> Vec<Place> {
    let place = |index| {
        let mut random = stream(0, For::Location, &[index]);
        let location_id = random.id();
        let parts = [8, 4, 4, 4, 12].map(|digits| random.hex(digits));
        Place { location_id, token: format!("pit-{}", parts.join("-")) }
    };
    (0..count.max(1)).map(place).collect()
}

pub(super) fn company_id() -> String {
    stream(0, For::Companies, &[]).id()
}

/// All records of all places.
pub(super) fn fill(options: &Options, places: &[Place]) -> Store {
    let filled = places.iter().enumerate().map(|(index, place)| {
        let records = match &options.written {
            Some(seed) => seed.records(&place.location_id),
            None => records(options, index, &place.location_id),
        };
        (place.location_id.clone(), Location::new(records, options.list_lag))
    });
    filled.collect()
}

fn records(options: &Options, location: usize, location_id: &str) -> Vec<Record> {
    let companies = Companies::new(options.seed, location);
    let mut people = People::new(options.seed, location, location_id, &companies);
    let record = |index| {
        let contact = people.contact(index);
        if index == 0 && location == 0 {
            return demo::record(location_id, companies.id(0));
        }
        let story = work::Story::new(options.seed, location, index, &contact);
        Record {
            tasks: story.tasks(),
            notes: story.notes(),
            appointments: story.appointments(location_id),
            contact: contact.json,
        }
    };
    (0..options.contacts).map(record).collect()
}

fn contact_id(seed: u64, index: usize) -> String {
    if index == 0 { DEMO_CONTACT.into() } else { stream(seed, For::ContactId, &[index]).id() }
}

/// The same in every location, like the contacts' own ids.
fn id_of(seed: u64, kind: For, contact: usize, place: usize) -> String {
    stream(seed, For::Ids, &[kind as usize, contact, place]).id()
}

fn now() -> i64 {
    NOW.as_millisecond()
}

/// A moment as the API writes it, with milliseconds.
fn iso(at: i64) -> String {
    let moment = Timestamp::from_millisecond(at).unwrap_or(NOW);
    format!("{moment:.3}")
}

/// The start of a moment's day, moved on to Monday from a weekend.
fn working_day(at: i64) -> i64 {
    let day = at.div_euclid(DAY);
    // Day 0 of the epoch was a Thursday: Saturday is 2 and Sunday 3.
    let moved = match day.rem_euclid(7) {
        2 => day + 2,
        3 => day + 1,
        _ => day,
    };
    moved * DAY
}
