//! What a change leaves behind that failed: nothing where it was refused, and no old value where nobody knows what came of it.

use std::collections::BTreeMap;
use std::time::Duration;

use contacts_gateway::sandbox::{Cut, DEMO_CONTACT, Fault, Options};
use serde_json::{Value, json};

use super::*;

/// Without retries, so that what fails does so at once.
async fn impatient() -> Stage {
    Stage::set(&[("UPSTREAM_RETRIES", "0")]).await
}

impl Stage {
    /// Changes the demo's contact upstream, past the gateway.
    fn change_past(&self, first_name: &str) {
        let location = self.sandbox.info().location_id.clone();
        self.sandbox.update_contact(&location, DEMO_CONTACT, |contact| contact["firstName"] = json!(first_name));
    }

    /// The mail address of a contact, as an upsert names it.
    fn mail_of(&self, id: &str) -> Value {
        self.upstream(id).contact["email"].clone()
    }

    /// The calls of a profile.
    async fn profile_costs(&self) -> BTreeMap<&'static str, usize> {
        self.calls();
        self.profile().await;
        self.calls()
    }
}

const SEARCH: &str = "{ contacts(first: 1, search: \"lindqvist\") { nodes { name } } }";

/// Its answer is lost and so is what was looked for: any contact may be the one that it updated.
#[tokio::test]
async fn after_an_upsert_of_which_nothing_is_known_no_contact_is_held_and_everything_else_is() {
    let stage = impatient().await;
    stage.profile().await;
    stage.data(SEARCH, json!({})).await;
    stage.sandbox.fault(Fault::on(UPSERT).cut(Cut::Before).times(1));
    stage.sandbox.fault(Fault::on(DUPLICATE).status(503).times(1));
    let input = json!({ "email": stage.mail_of(DEMO_CONTACT), "firstName": "New" });
    let answer = stage.change("upsertContact", input, "created").await;
    assert_eq!(errors(&answer), one_error("upsertContact", "UPSTREAM_UNAVAILABLE"));
    assert_eq!(answer["errors"][0]["extensions"].get("existingContactId"), None);
    stage.calls();
    assert_eq!(stage.profile().await["contact"]["name"], "New Lindqvist");
    assert_eq!(stage.calls(), BTreeMap::from([(CONTACT, 1)]), "what an upsert does not touch is still held");
    assert_eq!(stage.data(SEARCH, json!({})).await["contacts"]["nodes"][0]["name"], "New Lindqvist");
    // It may still be made, to whomever: neither what is read by id nor what a row tells is kept for long.
    let other = stage.ids()[1].clone();
    stage.name_of(&other).await;
    stage.data("{ contacts(first: 5) { nodes { email } } }", json!({})).await;
    let mail = "query M($id: ID!) { contact(id: $id) { email } }";
    for (later, calls) in [(0, 0), (1, 1)] {
        stage.clock.advance(Duration::from_secs(later));
        for (id, query) in [(&other, NAME), (&stage.ids()[2], mail)] {
            stage.calls();
            stage.data(query, json!({ "id": id })).await;
            assert_eq!(stage.calls().values().sum::<usize>(), calls, "{query}, {later} s later");
        }
    }
}

#[tokio::test]
async fn an_upsert_that_is_out_of_time_is_seen_by_who_looks_then() {
    let stage = Stage::set(&[("REQUEST_TIMEOUT", "300ms")]).await;
    assert_eq!(stage.name_of(DEMO_CONTACT).await, "Amara Lindqvist");
    let hold = stage.sandbox.hold(UPSERT);
    let input = json!({ "email": stage.mail_of(DEMO_CONTACT), "firstName": "New" });
    let answer = stage.change("upsertContact", input, "created").await;
    assert_eq!(errors(&answer), one_error("upsertContact", "UPSTREAM_TIMEOUT"));
    assert_eq!(stage.name_of(DEMO_CONTACT).await, "New Lindqvist");
    hold.release();
}

/// Its caller is told after a while that nothing is known, and what is read then is what was before. It is made when a page is
/// over, and the seconds in which lists are not believed would be, had they begun with it.
#[tokio::test]
async fn a_change_that_outlives_its_caller_and_every_page_is_seen_from_the_moment_of_its_answer() {
    let stage = Stage::set(&[("REQUEST_TIMEOUT", "300ms")]).await;
    let found = async || stage.data(SEARCH, json!({})).await["contacts"]["nodes"][0]["name"].clone();
    let hold = stage.sandbox.hold_unanswered(UPDATE);
    let input = json!({ "id": DEMO_CONTACT, "firstName": "Late" });
    let answer = stage.change("updateContact", input, "__typename").await;
    assert_eq!(errors(&answer), one_error("updateContact", "UPSTREAM_TIMEOUT"));
    assert!(answer["errors"][0]["message"].as_str().unwrap().contains("not known"), "{answer}");
    for _ in 0..2 {
        assert_eq!(
            (stage.name_of(DEMO_CONTACT).await, found().await),
            (json!("Amara Lindqvist"), json!("Amara Lindqvist"))
        );
        stage.clock.advance(Duration::from_secs(16));
    }
    stage.sandbox.set_list_lag(Duration::MAX);
    assert_eq!(found().await, "Amara Lindqvist");
    assert_eq!(stage.calls()[UPDATE], 1);
    hold.release();
    // No time passes meanwhile: what is held would stay.
    let seen = async {
        while stage.name_of(DEMO_CONTACT).await != "Late Lindqvist" {
            tokio::task::yield_now().await;
        }
    };
    tokio::time::timeout(Duration::from_secs(20), seen).await.expect("the change is seen");
    // What its answer told is not kept: the same was forgotten since, when its caller's time was over.
    assert_eq!(stage.calls(), BTreeMap::from([(CONTACT, 1)]));
    for _ in 0..3 {
        assert_eq!(found().await, "Late Lindqvist", "the list does not have it yet");
        stage.clock.advance(Duration::from_secs(3));
    }
    stage.clock.advance(Duration::from_secs(16));
    assert_eq!(stage.name_of(DEMO_CONTACT).await, "Late Lindqvist");
    assert_eq!(stage.calls().get(UPDATE), None, "it was sent once, at the beginning");
}

/// The mail is one contact's and the phone another's: the upstream goes by either, so both are named by a look of their own.
#[tokio::test]
async fn an_upsert_is_looked_for_by_its_mail_and_by_its_phone() {
    let stage = impatient().await;
    let ids = stage.ids();
    let (one, other, third) = (&ids[1], &ids[2], &ids[3]);
    let phone = stage.upstream(other).contact["phone"].clone();
    let mail = stage.mail_of(one);
    stage.sandbox.fault(Fault::on(UPSERT).status(500).times(1));
    stage.calls();
    let answer = stage.change("upsertContact", json!({ "email": mail, "phone": phone }), "created").await;
    assert_eq!(answer["errors"][0]["extensions"]["existingContactId"], one.as_str());
    let looked: Vec<_> = stage.sandbox.calls().into_iter().filter(|call| call.route == DUPLICATE).collect();
    let by = |name| looked.iter().filter_map(|call| call.query(name)).map(|text| json!(text)).collect::<Vec<_>>();
    assert_eq!((looked.len(), by("email"), by("number")), (2, vec![mail], vec![phone]));
    // It may still be on its way to either of the two.
    for (id, calls) in [(one, 1), (other, 1), (third, 0)] {
        stage.name_of(id).await;
        stage.clock.advance(Duration::from_secs(1));
        stage.calls();
        stage.name_of(id).await;
        assert_eq!(stage.calls().values().sum::<usize>(), calls, "{id}");
    }
}

/// It is made after all, when it was looked for already.
#[tokio::test]
async fn a_change_that_is_made_late_is_not_hidden_by_what_was_looked_for() {
    let stage = impatient().await;
    stage.name_of(DEMO_CONTACT).await;
    stage.sandbox.fault(Fault::on(UPDATE).status(504).times(1));
    let input = json!({ "id": DEMO_CONTACT, "firstName": "Late" });
    let answer = stage.change("updateContact", input, "__typename").await;
    assert_eq!(errors(&answer), one_error("updateContact", "UPSTREAM_UNAVAILABLE"));
    assert_eq!(stage.calls(), BTreeMap::from([(UPDATE, 1), (CONTACT, 2)]), "before it, and to look for it");
    assert_eq!(stage.name_of(DEMO_CONTACT).await, "Amara Lindqvist");
    assert_eq!(stage.calls(), BTreeMap::from([(CONTACT, 1)]), "what the look has read was forgotten");
    stage.change_past("Late");
    stage.clock.advance(Duration::from_secs(1));
    assert_eq!(stage.name_of(DEMO_CONTACT).await, "Late Lindqvist", "what was read then is kept for a second");
    stage.clock.advance(Duration::from_secs(10));
    stage.name_of(DEMO_CONTACT).await;
    stage.clock.advance(Duration::from_secs(10));
    stage.calls();
    stage.name_of(DEMO_CONTACT).await;
    assert_eq!(stage.calls(), BTreeMap::new(), "and in the end for its whole time");
}

/// The same of a task, whose lists are another matter.
#[tokio::test]
async fn a_late_task_is_not_hidden_and_its_contact_is_held() {
    let stage = impatient().await;
    stage.profile().await;
    stage.sandbox.fault(Fault::on(CREATE_TASK).status(500).times(1));
    let input = json!({ "contactId": DEMO_CONTACT, "title": "Late", "dueDate": "2026-12-09T12:00:00Z" });
    stage.change("createTask", input, "__typename").await;
    assert_eq!(stage.profile_costs().await, BTreeMap::from([(TASKS, 1)]));
    stage.clock.advance(Duration::from_secs(1));
    assert_eq!(stage.profile_costs().await, BTreeMap::from([(TASKS, 1)]));
    stage.clock.advance(Duration::from_secs(10));
    assert_eq!(stage.profile_costs().await, BTreeMap::from([(TASKS, 1)]));
    stage.clock.advance(Duration::from_secs(10));
    assert_eq!(stage.profile_costs().await, BTreeMap::new());
}

/// A list lags behind what an upsert did of which nobody knows.
#[tokio::test]
async fn a_row_of_a_contact_that_an_upsert_may_be_about_is_not_believed() {
    let stage = impatient().await;
    stage.sandbox.set_list_lag(Duration::MAX);
    stage.sandbox.fault(Fault::on(UPSERT).cut(Cut::Before).times(1));
    let input = json!({ "email": stage.mail_of(DEMO_CONTACT), "firstName": "New" });
    stage.change("upsertContact", input, "created").await;
    assert_eq!(stage.data(SEARCH, json!({})).await["contacts"]["nodes"][0]["name"], "New Lindqvist");
}

#[tokio::test]
async fn a_change_that_is_refused_forgets_nothing() {
    let list = "{ contacts(first: 5) { nodes { name } } }";
    let refusals = [
        (400, json!({ "statusCode": 400, "message": "no" })),
        (401, json!({ "statusCode": 401, "message": "The token is not authorized for this scope." })),
        (401, json!({ "statusCode": 401, "message": "Invalid Private Integration token" })),
        (403, json!({ "statusCode": 403, "message": "Forbidden resource" })),
        (422, json!({ "statusCode": 422, "message": ["no"] })),
        (429, json!({ "statusCode": 429, "message": "Too Many Requests" })),
    ];
    for (status, body) in refusals {
        let options = Options { rate_limit: soon_over(), ..Options::default() };
        let stage = Stage::with(options, &[("UPSTREAM_RETRIES", "0")]).await;
        stage.profile().await;
        stage.data(list, json!({})).await;
        for (field, route, input) in [
            ("createContact", CREATE, json!({ "name": "X" })),
            ("updateContact", UPDATE, json!({ "id": DEMO_CONTACT, "firstName": "X" })),
            ("deleteContact", DELETE, json!({ "id": DEMO_CONTACT })),
            ("createNote", CREATE_NOTE, json!({ "contactId": DEMO_CONTACT, "note": "X" })),
        ] {
            stage.sandbox.fault(Fault::on(route).status(status).body(body.clone()).times(1));
            let answer = stage.change(field, input, "__typename").await;
            assert_eq!(errors(&answer).len(), 1, "{status} {field}");
        }
        stage.calls();
        stage.profile().await;
        stage.data(list, json!({})).await;
        assert_eq!(stage.calls(), BTreeMap::new(), "{status} {body}");
        // Nor does it keep pages from being kept.
        stage.clock.advance(Duration::from_secs(15));
        stage.data(list, json!({})).await;
        stage.clock.advance(Duration::from_secs(5));
        stage.calls();
        stage.data(list, json!({})).await;
        assert_eq!(stage.calls(), BTreeMap::new(), "{status} {body}");
    }
}

#[tokio::test]
async fn a_duplicate_that_is_met_again_and_again_leaves_the_lists_alone() {
    let stage = impatient().await;
    let list = "{ contacts(first: 5) { nodes { name } } }";
    stage.data(list, json!({})).await;
    let input = json!({ "name": "Again", "email": stage.mail_of(DEMO_CONTACT) });
    let answer = stage.change("createContact", input, "__typename").await;
    assert_eq!(errors(&answer), one_error("createContact", "CONFLICT"));
    stage.calls();
    stage.data(list, json!({})).await;
    assert_eq!(stage.calls(), BTreeMap::new());
}

/// What is held of it is wrong then.
#[tokio::test]
async fn what_turns_out_not_to_exist_is_forgotten() {
    let stage = Stage::with(Options { contacts: 3, ..Options::default() }, &[]).await;
    let (task, _) = stage.demo_records();
    stage.profile().await;
    let location = stage.sandbox.info().location_id.clone();
    stage.sandbox.update(&location, DEMO_CONTACT, |record| record.tasks.retain(|other| other["id"] != task.as_str()));
    let input = json!({ "contactId": DEMO_CONTACT, "id": task, "title": "X" });
    assert_eq!(errors(&stage.change("updateTask", input, "__typename").await), one_error("updateTask", "NOT_FOUND"));
    assert_eq!(stage.profile_costs().await, BTreeMap::from([(TASKS, 1)]));
    stage.sandbox.remove_contact(&location, DEMO_CONTACT);
    let input = json!({ "id": DEMO_CONTACT, "firstName": "X" });
    let answer = stage.change("updateContact", input, "__typename").await;
    assert_eq!(errors(&answer), one_error("updateContact", "NOT_FOUND"));
    assert_eq!(stage.profile().await, json!({ "contact": null }));
}
