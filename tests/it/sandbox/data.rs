//! The data: the same for the same seed, other in each location, and like a real CRM.

use super::{Stage, read};
use contacts_gateway::sandbox::{DEMO_CONTACT, Options};
use serde_json::Value;
use std::collections::HashSet;

#[tokio::test]
async fn locations_have_the_same_ids_and_other_contents() {
    let stage = Stage::new(Options { contacts: 30, locations: 2, ..Options::default() }).await;
    let places = stage.sandbox.info().locations.clone();
    let sets = [0, 1].map(|i| stage.sandbox.contact_ids(&places[i].location_id).into_iter().collect::<HashSet<_>>());
    assert_eq!(sets[0], sets[1]);
    let mut names = Vec::new();
    for place in &places {
        let call = stage.bare(&format!("/contacts/{DEMO_CONTACT}")).bearer_auth(&place.token);
        let (_, body) = read(call.header("version", "v3").send().await.unwrap()).await;
        assert_eq!(body["contact"]["locationId"], place.location_id.as_str());
        names.push(body["contact"]["name"].clone());
    }
    assert_ne!(names[0], names[1]);
}

#[tokio::test]
async fn the_same_seed_gives_the_same_data() {
    let mut seen = Vec::new();
    for (seed, contacts) in [(5, 60), (5, 60), (6, 60), (5, 61)] {
        let stage = Stage::new(Options { contacts, seed, ..Options::default() }).await;
        let mut ids = stage.sandbox.contact_ids(&stage.location);
        ids.sort();
        seen.push(ids.iter().map(|id| stage.sandbox.record(&stage.location, id)).collect::<Vec<_>>());
    }
    assert_eq!(seen[0], seen[1]);
    assert_ne!(seen[0], seen[2]);
    let same = seen[0].iter().filter(|record| seen[3].contains(record)).count();
    assert_eq!(same, 60, "one more contact changes no other");
}

#[tokio::test]
async fn the_data_looks_like_a_crm() {
    let stage = Stage::new(Options::default()).await;
    let ids = stage.sandbox.contact_ids(&stage.location);
    let records: Vec<_> = ids.iter().map(|id| stage.sandbox.record(&stage.location, id)).collect();
    let sum = |count: fn(&contacts_gateway::sandbox::Record) -> usize| records.iter().map(count).sum::<usize>();
    assert_eq!(records.len(), 250);
    assert!(sum(|record| record.tasks.len()) > 250 && sum(|record| record.notes.len()) > 250);
    assert!(sum(|record| record.appointments.len()) > 200);
    let overdue = |task: &&Value| task["completed"] == false && task["dueDate"].as_str().unwrap() < "2026-06-15T15";
    assert!(records.iter().flat_map(|record| &record.tasks).filter(overdue).count() > 50);
    let bodies = records.iter().flat_map(|record| &record.notes).map(|note| note["body"].as_str().unwrap());
    assert!(bodies.clone().filter(|body| body.to_lowercase().contains("call back")).count() > 20);
    assert!(bodies.clone().all(|body| !body.contains('{')), "every gap is filled");
    let unique = |key: &str| {
        let all: Vec<_> = records.iter().filter_map(|record| record.contact[key].as_str()).collect();
        assert_eq!(all.iter().collect::<HashSet<_>>().len(), all.len(), "{key}");
    };
    ["id", "email", "phone"].into_iter().for_each(unique);
    assert!(ids.iter().all(|id| id.len() == 20 && id.chars().all(|c| c.is_ascii_alphanumeric())));
    assert!(records.iter().all(|record| record.contact["dateAdded"].as_str().unwrap() < "2026-06-15T15"));
}
