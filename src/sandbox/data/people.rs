//! Companies, and the contacts that work for them.

use super::{
    DAY, For, HOUR, MINUTE, contact_id, iso, now,
    random::Random,
    stream,
    words::{CITIES, COMPANY, DOMAINS, FIRST, LAST, SOURCES, STAFF, STREETS, TAGS, TRADE},
};
use serde_json::{Value, json};
use std::collections::HashSet;

const COMPANIES: usize = 40;

/// Where the contact made by hand works, and some others with it.
pub(super) const DEMO_COMPANY: &str = "Harbor Light Bakery";

/// Custom fields as an agency defines them: how they got to us, seats, services, opening hours.
const CUSTOM_FIELDS: [&str; 4] =
    ["fHe4rdAb0utUs7Qw2Er5", "fSe4tsC0untTy8Ui3Op1", "fServ1cesZx6Cv9Bn4Ml", "fOpen1ngH0ursAs5Df8G"];

/// The companies of one location. Business ids are shared by all locations, names are not.
pub(super) struct Companies(Vec<(String, String)>);

impl Companies {
    pub fn new(seed: u64, location: usize) -> Self {
        let mut random = stream(seed, For::Companies, &[location]);
        let mut ids = stream(seed, For::BusinessIds, &[]);
        let mut taken = HashSet::new();
        let mut name = || {
            loop {
                let name = format!("{} {}", random.pick(&COMPANY), random.pick(&TRADE));
                if taken.insert(name.clone()) {
                    return name;
                }
            }
        };
        let mut companies: Vec<_> = (0..COMPANIES).map(|_| (ids.hex(24), name())).collect();
        if location == 0 {
            companies[0].1 = DEMO_COMPANY.into();
        }
        Self(companies)
    }

    pub fn id(&self, index: usize) -> &str {
        &self.0[index].0
    }
}

/// A made contact, and what its story needs to know.
pub(super) struct Made {
    pub json: Value,
    pub id: String,
    pub first: String,
    pub company: String,
    pub added: i64,
    pub assigned_to: &'static str,
}

/// Makes the contacts of one location, in turn: no two have the same mail.
pub(super) struct People<'a> {
    seed: u64,
    location: usize,
    location_id: &'a str,
    companies: &'a Companies,
    emails: HashSet<String>,
    first_phone: usize,
}

impl<'a> People<'a> {
    pub fn new(seed: u64, location: usize, location_id: &'a str, companies: &'a Companies) -> Self {
        let first_phone = stream(seed, For::Phones, &[location]).index(10_000_000);
        Self { seed, location, location_id, companies, emails: HashSet::new(), first_phone }
    }

    pub fn contact(&mut self, index: usize) -> Made {
        let mut random = stream(self.seed, For::Contact, &[self.location, index]);
        let (first, last) = (random.pick(&FIRST), random.pick(&LAST));
        // Squared, so that recent months are fuller than old ones.
        let age = random.share() * random.share();
        let added = now() - HOUR - (age * 700.0 * DAY as f64) as i64;
        let updated = added + (random.share() * (now() - added) as f64) as i64;
        let (staff, _) = STAFF[random.index(STAFF.len())];
        let id = contact_id(self.seed, index);
        let mut json = json!({
            "id": id,
            "locationId": self.location_id,
            "firstName": first,
            "source": random.pick(&SOURCES),
            "assignedTo": staff,
            "dnd": false,
            "dateAdded": iso(added),
            "dateUpdated": iso(updated),
            "tags": tags(&mut random),
            "customFields": custom_fields(&mut random),
        });
        json["type"] = json!(if random.percent(40) { "customer" } else { "lead" });
        if random.percent(95) {
            json["lastName"] = json!(last);
        }
        self.reach(&mut json, &mut random, (first, last), index);
        let company = self.employ(&mut json, &mut random);
        live(&mut json, &mut random);
        extras(&mut json, &mut random, updated);
        Made { json, id, first: first.into(), company, added, assigned_to: staff }
    }

    /// Mail and phone. Nearly everyone has both.
    fn reach(&mut self, json: &mut Value, random: &mut Random, (first, last): (&str, &str), index: usize) {
        if random.percent(94) {
            let local = format!("{first}.{last}").to_lowercase().replace([' ', '\''], "");
            let mut email = format!("{local}@{}", random.pick(&DOMAINS));
            if !self.emails.insert(email.clone()) {
                email = format!("{local}{index}@{}", DOMAINS[0]);
                self.emails.insert(email.clone());
            }
            json["email"] = json!(email);
        }
        if random.percent(88) {
            // A step that shares no factor with the range visits every number once.
            let number = (self.first_phone + index * 7_368_787) % 10_000_000;
            json["phone"] = json!(format!("+1555{number:07}"));
        }
    }

    fn employ(&self, json: &mut Value, random: &mut Random) -> String {
        if random.percent(12) {
            return "their business".into();
        }
        let (business_id, name) = &self.companies.0[random.index(COMPANIES)];
        json["companyName"] = json!(name);
        // Some contacts name a company without being linked to its record.
        if random.percent(90) {
            json["businessId"] = json!(business_id);
        }
        if random.percent(60) {
            let host = name.to_lowercase().replace(' ', "-");
            json["website"] = json!(format!("https://{host}.example"));
        }
        name.clone()
    }
}

fn live(json: &mut Value, random: &mut Random) {
    let (city, state, postal_code, timezone, country) = CITIES[random.index(CITIES.len())];
    json["country"] = json!(country);
    json["timezone"] = json!(timezone);
    if random.percent(85) {
        json["address1"] = json!(format!("{} {}", random.between(1, 980), random.pick(&STREETS)));
        json["city"] = json!(city);
        json["state"] = json!(state);
        json["postalCode"] = json!(postal_code);
    }
}

fn tags(random: &mut Random) -> Vec<&'static str> {
    let mut tags = Vec::new();
    for _ in 0..random.between(0, 4) {
        let tag = random.pick(&TAGS);
        if !tags.contains(&tag) {
            tags.push(tag);
        }
    }
    tags
}

/// The four kinds of value that the API has: text, number, list and object.
fn custom_fields(random: &mut Random) -> Vec<Value> {
    let values = [
        json!(random.pick(&["a friend", "search", "radio", "flyer"])),
        json!(random.between(1, 60)),
        json!([random.pick(&["seo", "ads"]), random.pick(&["website", "reviews"])]),
        json!({"weekdays": "8-17", "saturday": random.pick(&["9-12", "closed"])}),
    ];
    let all = CUSTOM_FIELDS.iter().zip(values);
    all.filter(|_| random.percent(35)).map(|(id, value)| json!({"id": id, "value": value})).collect()
}

fn extras(json: &mut Value, random: &mut Random, updated: i64) {
    if random.percent(6) {
        json["dnd"] = json!(true);
        let settings =
            json!({"SMS": {"status": "active", "message": "Asked for no texts"}, "Email": {"status": "inactive"}});
        json["dndSettings"] = settings;
    }
    if random.percent(30) {
        let born = now() - random.between(20 * 365, 70 * 365) * DAY;
        json["dateOfBirth"] = json!(&iso(born)[..10]);
    }
    if random.percent(50) {
        json["lastActivity"] = json!(iso(updated + random.between(0, 59) * MINUTE));
    }
    if random.percent(25) {
        json["attributionSource"] = json!({
            "url": "https://agency.example/contact",
            "utmSource": random.pick(&["google", "facebook", "newsletter"]),
            "medium": "form",
        });
    }
}
