//! Events that are sent to more than one gateway.

use contacts_gateway::sandbox::DEMO_CONTACT;
use serde_json::json;

use super::*;
use crate::events::{Sender, event, handled, outcomes};

/// Two gateways behind one balancer.
async fn two(sender: &[Sender; 2], redis: &Redis, more: &[(&str, &str)]) -> [Stage; 2] {
    let url = redis.url();
    let first = sender[0].stage(Options::default(), &[&[("REDIS_URL", &*url)], more].concat()).await;
    let (location, token) = (first.sandbox.info().location_id.clone(), first.sandbox.info().token.clone());
    let folder = sender[1].folder.path().join("state").display().to_string();
    let keys = sender[0].folder.path().join("key.pem").display().to_string();
    let settings = [
        ("LOCATION_ID", &*location),
        ("API_KEY", &*token),
        ("REDIS_URL", &*url),
        ("STATE_DIR", &*folder),
        ("WEBHOOK_KEYS", &*keys),
    ];
    let second = first.beside(&[&settings[..], more].concat()).await;
    [first, second]
}

#[tokio::test(flavor = "multi_thread")]
async fn copies_of_an_event_are_taken_once_by_both_together() {
    let Some(mut redis) = Redis::start() else { return };
    let senders = [Sender::new(), Sender::new()];
    let stages = two(&senders, &redis, &[]).await;
    let update = |n: usize| event(&stages[0].sandbox, "ContactUpdate", &json!({ "id": stages[0].ids()[n] }));
    for n in 0..20 {
        let event = update(n);
        let copies = (0..4).map(|copy| senders[0].tell(&stages[copy % 2], &event));
        assert_eq!(join_all(copies).await, [200; 4]);
    }
    let taken = async |outcome| {
        let each = join_all(stages.iter().map(|stage| outcomes(stage, "ContactUpdate", outcome))).await;
        each.iter().sum::<u64>()
    };
    assert_eq!((taken("taken").await, taken("seen").await), (20, 60));
    let first = outcomes(&stages[0], "ContactUpdate", "taken").await;
    handled(&stages[0], first).await;
    handled(&stages[1], 20 - first).await;
    // Also when there is no room.
    redis.ask(&["CONFIG", "SET", "maxmemory", "1"]);
    let event = update(20);
    assert_eq!(join_all(stages.iter().map(|stage| senders[0].tell(stage, &event))).await, [200; 2]);
    assert_eq!(taken("taken").await, 21);
    // Without Redis, each takes what it is sent, once.
    redis.kill();
    let event = update(21);
    let copies = (0..4).map(|copy| senders[0].tell(&stages[copy % 2], &event));
    assert_eq!(join_all(copies).await, [200; 4]);
    assert_eq!(taken("taken").await, 23);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_contact_gets_no_more_in_an_hour_from_two_than_from_one() {
    let Some(mut redis) = Redis::start() else { return };
    let senders = [Sender::new(), Sender::new()];
    let rules = "[[automation]]\nname = \"n\"\nwhen = \"ContactUpdate\"\nper_hour = 3\nthen = [{ add_note = { note = \"Seen\" } }]\n";
    let file = senders[0].folder.path().join("automations.toml");
    std::fs::write(&file, rules).unwrap();
    let stages = two(&senders, &redis, &[("AUTOMATIONS", &file.display().to_string())]).await;
    let notes = async |of: &str, rounds: u64, before: u64| {
        stages[0].calls();
        for round in 1..=rounds {
            for stage in &stages {
                let update = event(&stages[0].sandbox, "ContactUpdate", &json!({ "id": of }));
                assert_eq!(senders[0].tell(stage, &update).await, 200);
                handled(stage, before + round).await;
            }
        }
        stages[0].calls().get("POST /contacts/{contactId}/notes").copied().unwrap_or_default()
    };
    assert_eq!(notes(DEMO_CONTACT, 4, 0).await, 3);
    // Another contact has its own.
    assert_eq!(notes(&stages[0].ids()[9], 1, 4).await, 2);
    // Without Redis each counts for itself.
    redis.kill();
    assert_eq!(notes(&stages[0].ids()[10], 4, 5).await, 6);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_automations_of_one_did_the_other_neither_repeats_nor_follows() {
    let Some(redis) = Redis::start() else { return };
    let senders = [Sender::new(), Sender::new()];
    let rules = "[[automation]]\nname = \"note\"\nwhen = [\"ContactUpdate\", \"NoteCreate\"]\nthen = [{ add_note = { note = \"Seen\" } }]\n";
    let file = senders[0].folder.path().join("automations.toml");
    std::fs::write(&file, rules).unwrap();
    let stages = two(&senders, &redis, &[("AUTOMATIONS", &file.display().to_string())]).await;
    let made = || {
        let record = stages[0].sandbox.record(&stages[0].sandbox.info().location_id, DEMO_CONTACT);
        record.notes.into_iter().filter(|note| note["body"] == "Seen").collect::<Vec<_>>()
    };
    let update = event(&stages[0].sandbox, "ContactUpdate", &json!({ "id": DEMO_CONTACT }));
    assert_eq!(senders[0].tell(&stages[0], &update).await, 200);
    handled(&stages[0], 1).await;
    assert_eq!(made().len(), 1);
    // A copy that the other one takes, since nobody could tell that it was taken.
    redis.clear("event");
    assert_eq!(senders[0].tell(&stages[1], &update).await, 200);
    handled(&stages[1], 1).await;
    let journal = stages[1].app.events().unwrap().journal();
    let effects = journal.effects(update["webhookId"].as_str().unwrap()).unwrap();
    assert_eq!(
        effects.iter().map(|effect| effect.outcome.as_deref()).collect::<Vec<_>>(),
        [Some("done by another gateway")]
    );
    // The upstream tells the other one of what this one made.
    let told = json!({ "id": made()[0]["id"], "contactId": DEMO_CONTACT, "body": "Seen" });
    assert_eq!(senders[0].tell(&stages[1], &event(&stages[0].sandbox, "NoteCreate", &told)).await, 200);
    handled(&stages[1], 2).await;
    assert_eq!(made().len(), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn one_without_an_id_and_a_time_forgets_whenever_and_wherever_it_comes() {
    let Some(redis) = Redis::start() else { return };
    let senders = [Sender::new(), Sender::new()];
    let stages = two(&senders, &redis, &[]).await;
    let told =
        json!({ "type": "ContactUpdate", "locationId": stages[0].sandbox.info().location_id, "id": DEMO_CONTACT });
    assert_eq!(senders[0].tell(&stages[0], &told).await, 200);
    handled(&stages[0], 1).await;
    for stage in &stages {
        stage.profile().await;
        stage.calls();
        assert_eq!(senders[0].tell(stage, &told).await, 200);
        assert_eq!(outcomes(stage, "ContactUpdate", "seen").await, 1);
        stage.profile().await;
        assert_eq!(stage.calls(), [(CONTACT, 1)].into());
    }
}
