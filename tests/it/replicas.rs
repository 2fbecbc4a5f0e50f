//! Gateways that share a Redis: what is changed through one is seen through all, what one has read none reads again, and what becomes
//! of that when Redis fails.

mod failing;
mod failover;
pub mod server;

use std::collections::BTreeMap;
use std::time::Duration;

use contacts_gateway::changes::{ChangeKind, ChangedResource, Resources};
use contacts_gateway::sandbox::{DEMO_CONTACT, Fault};
use futures_util::future::join_all;
use serde_json::{Value, json};
use server::Redis;
use tokio::time::timeout;

use super::support::*;

const UPDATE: &str = "PUT /contacts/{contactId}";
const NAME: &str = "query N($id: ID!) { contact(id: $id) { firstName } }";
const RENAME: &str =
    "mutation R($id: ID!, $name: String!) { updateContact(input: { id: $id, firstName: $name }) { contact { id } } }";
const TITLES: &str = "query T($id: ID!) { contact(id: $id) { tasks { title } } }";
const ADD_TASK: &str = "mutation A($id: ID!) { createTask(input: { contactId: $id, title: \"Shared\", \
     dueDate: \"2026-05-01T00:00:00Z\" }) { task { id } } }";

/// Longer than anything takes here.
const LONG: Duration = Duration::from_secs(20);

impl Stage {
    async fn first_name(&self, id: &str) -> Value {
        self.data(NAME, json!({ "id": id })).await["contact"]["firstName"].take()
    }

    async fn call_it(&self, id: &str, name: &str) {
        self.data(RENAME, json!({ "id": id, "name": name })).await;
    }

    /// Waits until it speaks with the others and hears them.
    async fn joined(&self) {
        timeout(LONG, until(self, "gateway_joined ", 1)).await.expect("it joins");
    }

    async fn cut_off(&self) {
        timeout(LONG, until(self, "gateway_joined ", 0)).await.expect("it notices");
    }

    /// Waits until it tells this name: what it was told of comes when it comes.
    async fn tells(&self, id: &str, name: &str) {
        let told = async {
            while self.first_name(id).await != name {
                tokio::task::yield_now().await;
            }
        };
        timeout(LONG, told).await.expect("what was changed elsewhere is seen");
    }

    /// Another one over the same upstream and location.
    async fn twin(&self, settings: &[(&str, &str)]) -> Self {
        let info = self.sandbox.info();
        let own = [("LOCATION_ID", &*info.location_id), ("API_KEY", &*info.token)];
        self.beside(&[&own, settings].concat()).await
    }
}

/// Three gateways that share a Redis, or nothing where there is none to be had.
async fn three(settings: &[(&str, &str)]) -> Option<(Redis, [Stage; 3])> {
    let redis = Redis::start()?;
    let url = redis.url();
    let settings = [&[("REDIS_URL", &*url)], settings].concat();
    let first = Stage::set(&settings).await;
    let (second, third) = (first.twin(&settings).await, first.twin(&settings).await);
    let all = [first, second, third];
    for one in &all {
        one.joined().await;
    }
    Some((redis, all))
}

fn calls(of: &[(&'static str, usize)]) -> BTreeMap<&'static str, usize> {
    of.iter().copied().collect()
}

#[tokio::test]
async fn a_change_through_one_is_seen_by_the_very_next_read_of_the_others() {
    let Some((_redis, all)) = three(&[]).await else { return };
    let ids = all[0].ids();
    for (turn, id) in ids.iter().take(9).enumerate() {
        for one in &all {
            one.first_name(id).await;
            one.data(TITLES, json!({ "id": id })).await;
        }
        all[0].calls();
        let (name, writer) = (format!("W{turn}"), &all[turn % 3]);
        writer.call_it(id, &name).await;
        for one in &all {
            assert_eq!(one.first_name(id).await, *name);
        }
        // The one who changed it was told what it is now; of the others one reads it, for both.
        assert_eq!(all[0].calls(), calls(&[(UPDATE, 1), (CONTACT, 1)]));
        writer.data(ADD_TASK, json!({ "id": id })).await;
        for one in &all {
            let told = one.data(TITLES, json!({ "id": id })).await;
            assert!(told["contact"]["tasks"].to_string().contains("Shared"), "{told}");
        }
        all[0].calls();
    }
}

#[tokio::test]
async fn what_was_not_changed_is_read_by_nobody_again() {
    let Some((_redis, all)) = three(&[]).await else { return };
    let ids = all[0].ids();
    for one in &all {
        for id in &ids[..5] {
            one.first_name(id).await;
        }
    }
    // What the first has read, the others have.
    assert_eq!(all[0].calls(), calls(&[(CONTACT, 5)]));
    all[0].call_it(&ids[0], "Moved").await;
    all[0].calls();
    for one in &all {
        for id in &ids[1..5] {
            one.first_name(id).await;
        }
    }
    assert_eq!(all[0].calls(), calls(&[]));
}

#[tokio::test]
async fn of_a_crowd_that_wants_the_same_of_all_three_one_reads_it() {
    let Some((_redis, all)) = three(&[]).await else { return };
    let answers = join_all((0..60).map(|n| all[n % 3].profile())).await;
    assert!(answers.iter().all(|answer| answer == &answers[0] && answer["contact"]["id"] == DEMO_CONTACT));
    assert_eq!(all[0].calls(), one_of_each());
}

#[tokio::test]
async fn whoever_waits_for_a_reading_that_fails_makes_one() {
    let Some((redis, all)) = three(&[("UPSTREAM_RETRIES", "0")]).await else { return };
    all[0].sandbox.fault(Fault::on(CONTACT).status(500).times(1));
    let hold = all[0].sandbox.hold(CONTACT);
    let id = &all[0].ids()[3];
    let variables = json!({ "id": id });
    let failing = all[0].ask(NAME, variables.clone());
    let waiting = async {
        timeout(LONG, hold.arrived(1)).await.expect("the first one reads");
        let meanwhile = async {
            // The turn shows that somebody waits for its end.
            let waits = async {
                while !redis.values("turn").iter().any(|turn| turn.starts_with(b"+")) {
                    tokio::task::yield_now().await;
                }
            };
            timeout(LONG, waits).await.expect("the second one waits");
            drop(hold);
        };
        tokio::join!(all[1].ask(NAME, variables.clone()), meanwhile).0
    };
    let (failed, answer) = tokio::join!(failing, waiting);
    assert_eq!(errors(&failed), one_error("contact", "UPSTREAM_UNAVAILABLE"));
    assert_eq!(errors(&answer), []);
    assert_eq!(all[0].calls(), calls(&[(CONTACT, 2)]));
    assert!(redis.values("turn").is_empty(), "a turn that is over is given back");
}

#[tokio::test]
async fn what_another_one_has_read_is_not_good_for_longer_because_of_that() {
    let Some((redis, all)) = three(&[]).await else { return };
    let id = &all[0].ids()[3];
    all[0].first_name(id).await;
    assert_eq!(redis.shorten("value", Duration::from_secs(30)).await, 1);
    all[1].first_name(id).await;
    assert_eq!(all[0].calls(), calls(&[(CONTACT, 1)]));
    redis.clear("value");
    all[1].clock.advance(Duration::from_secs(29));
    all[1].first_name(id).await;
    assert_eq!(all[0].calls(), calls(&[]));
    all[1].clock.advance(Duration::from_secs(2));
    all[1].first_name(id).await;
    assert_eq!(all[0].calls(), calls(&[(CONTACT, 1)]));
}

#[tokio::test]
async fn a_list_that_one_has_read_goes_with_each_contact_that_it_shows() {
    const LIST_NAMES: &str = "{ contacts(first: 20) { nodes { id firstName } } }";
    let Some((_redis, all)) = three(&[]).await else { return };
    let before = all[0].data(LIST_NAMES, json!({})).await;
    assert_eq!(all[1].data(LIST_NAMES, json!({})).await, before);
    assert_eq!(all[0].calls(), calls(&[(LIST, 1)]));
    let id = before["contacts"]["nodes"][7]["id"].as_str().expect("an id");
    all[1].call_it(id, "Listed").await;
    for one in &all {
        assert_eq!(one.data(LIST_NAMES, json!({})).await["contacts"]["nodes"][7]["firstName"], "Listed");
    }
}

#[tokio::test]
async fn what_was_read_one_by_one_is_not_read_again_by_one_who_wants_many() {
    const MANY: &str = "query M($ids: [ID!]!) { contactsByIds(ids: $ids) { firstName tasks { title } } }";
    let Some((redis, all)) = three(&[]).await else { return };
    let ids = &all[0].ids()[..6];
    for id in ids {
        all[0].first_name(id).await;
        all[0].data(TITLES, json!({ "id": id })).await;
    }
    assert_eq!(all[0].calls(), calls(&[(CONTACT, 6), (TASKS, 6)]));
    // Who wants many waits for nobody: everything has to be there.
    let stored = async {
        while redis.values("value").len() < 12 {
            tokio::task::yield_now().await;
        }
    };
    timeout(LONG, stored).await.expect("it is kept");
    let many = all[1].data(MANY, json!({ "ids": ids })).await;
    assert_eq!(many["contactsByIds"].as_array().map(Vec::len), Some(6));
    assert_eq!(all[0].calls(), calls(&[]));
}

#[tokio::test]
async fn who_watches_at_one_is_told_what_was_changed_through_another() {
    let Some((_redis, all)) = three(&[]).await else { return };
    let (id, location) = (&all[0].ids()[3], &all[0].sandbox.info().location_id);
    let mut watch = all[2].app.changes().watch(location, Some(id), Resources::default());
    all[2].first_name(id).await;
    all[0].call_it(id, "Watched").await;
    let notice = timeout(LONG, watch.next()).await.expect("a notice").expect("a change");
    assert_eq!((notice.change.kind, notice.change.resource), (ChangeKind::Updated, ChangedResource::Contact));
    // What is told was forgotten before.
    assert_eq!(all[2].first_name(id).await, "Watched");
}

#[tokio::test]
async fn other_locations_and_other_upstreams_share_nothing() {
    let Some((redis, all)) = three(&[]).await else { return };
    let other = Stage::set(&[("REDIS_URL", &*redis.url())]).await;
    other.joined().await;
    let id = &all[0].ids()[3];
    all[0].first_name(id).await;
    other.first_name(id).await;
    assert_eq!((all[0].calls(), other.calls()), (calls(&[(CONTACT, 1)]), calls(&[(CONTACT, 1)])));
    // Nor is what is forgotten there forgotten here.
    other.call_it(id, "There").await;
    assert_ne!(all[0].first_name(id).await, "There");
    assert_eq!(all[0].calls(), calls(&[]));
}

#[tokio::test]
async fn with_a_key_nothing_in_redis_can_be_read_or_put_in_its_place() {
    let Some(redis) = Redis::start() else { return };
    let keys = tempfile::tempdir().expect("a folder");
    let file = |name: &str, key: &str| {
        let path = keys.path().join(name);
        std::fs::write(&path, key).expect("a file that can be written");
        path.to_str().expect("a path").to_owned()
    };
    let mine = file("mine", "QUFBQUFBQUFBQUFBQUFBQUFBQUFBQUFBQUFBQUFBQUE=");
    let other = file("other", "QkJCQkJCQkJCQkJCQkJCQkJCQkJCQkJCQkJCQkJCQkI=");
    let url = redis.url();
    let with = |path| [("REDIS_URL", url.clone()), ("REDIS_ENCRYPTION_KEY_FILE", path)];
    let mine = with(mine);
    let mine: Vec<(&str, &str)> = mine.iter().map(|(name, value)| (*name, &**value)).collect();
    let other = with(other);
    let other: Vec<(&str, &str)> = other.iter().map(|(name, value)| (*name, &**value)).collect();
    let first = Stage::set(&mine).await;
    let (second, stranger) = (first.twin(&mine).await, first.twin(&other).await);
    for one in [&first, &second, &stranger] {
        one.joined().await;
    }
    let id = &first.ids()[3];
    let name = first.first_name(id).await;
    second.first_name(id).await;
    assert_eq!(first.calls(), calls(&[(CONTACT, 1)]));
    let (name, id_) = (name.as_str().expect("a name"), id.as_bytes());
    let stored = redis.values("value");
    assert_eq!(stored.len(), 1);
    let shows = |text: &[u8]| stored[0].windows(text.len()).any(|part| part == text);
    assert!(!shows(name.as_bytes()) && !shows(id_) && !shows(b"contact"));
    // Whoever has another key goes alone, and is no danger: what it tells is forgotten, whatever it is.
    stranger.first_name(id).await;
    assert_eq!(first.calls(), calls(&[(CONTACT, 1)]));
    stranger.call_it(id, "Strange").await;
    first.tells(id, "Strange").await;
}
