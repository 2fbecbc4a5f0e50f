//! `GATEWAY_AUTH=keys`: who has no key is told so, and a key opens what its row says, as long as it says so.

use std::time::Duration;

use contacts_gateway::clock::Clock;
use proptest::prelude::*;
use proptest::test_runner::{Config, TestRunner};
use serde_json::json;
use tempfile::NamedTempFile;

use super::*;

const RENAME: &str = "mutation M($input: UpdateContactInput!) { updateContact(input: $input) { contact { email } } }";

pub fn file(rows: &[String]) -> NamedTempFile {
    let file = NamedTempFile::new().expect("a file");
    std::fs::write(file.path(), rows.concat()).expect("a file that can be written");
    file
}

pub async fn one_location(keys: &NamedTempFile) -> Stage {
    Stage::set(&[("AUTH", "keys"), ("KEYS_FILE", keys.path().to_str().expect("a path"))]).await
}

#[tokio::test]
async fn a_key_is_let_in_and_everything_else_is_refused_without_a_call() {
    let past = "expires = 2020-01-01T00:00:00Z";
    let keys = file(&[row("good", &[READ], None, ""), row("old", &[READ], None, past)]);
    let stage = one_location(&keys).await;
    let id = json!({ "id": stage.ids()[0] });
    let (status, answer) = stage.ask_as("good", None, NAME, id.clone()).await;
    assert_eq!((status, answer.get("errors")), (200, None));
    assert_eq!(stage.calls()[CONTACT], 1);

    let digest: String = Sha256::digest("good").iter().map(|byte| format!("{byte:02x}")).collect();
    let long = "good".repeat(1000);
    for wrong in ["nobody", "old", "Good", "good2", &digest, &long] {
        let answer = stage.ask_as(wrong, None, NAME, id.clone()).await;
        assert_eq!(refusal(&stage, &answer), refused(401, "UNAUTHENTICATED"), "{wrong}");
    }
    let ask = |headers: &[&str]| {
        let request = stage.post().json(&json!({ "query": NAME, "variables": id }));
        headers.iter().fold(request, |request, value| request.header("authorization", *value)).send()
    };
    for headers in [&[][..], &["good"], &["Basic good"], &["Bearer"], &["Bearer "], &["Bearer good", "Bearer good"]] {
        let answer = ask(headers).await.expect("an answer");
        assert_eq!(answer.headers()["www-authenticate"], "Bearer", "{headers:?}");
        let answer = (answer.status().as_u16(), answer.json().await.expect("JSON"));
        assert_eq!(refusal(&stage, &answer), refused(401, "UNAUTHENTICATED"), "{headers:?}");
    }
    for headers in [["bearer good"], ["Bearer   good "]] {
        assert_eq!(ask(&headers).await.expect("an answer").status(), 200, "{headers:?}");
    }
    // Health is everybody's business.
    assert_eq!(stage.get("/health/ready").send().await.expect("an answer").status(), 200);
}

#[tokio::test]
async fn a_key_ends_when_its_row_says() {
    let now = jiff::Timestamp::try_from(Clock::default().wall()).expect("a time");
    let soon = now + jiff::SignedDuration::from_secs(60);
    let keys = file(&[row("good", &[READ], None, &format!("expires = {soon:.0}"))]);
    let stage = one_location(&keys).await;
    assert_eq!(stage.ask_as("good", None, WHO, json!({})).await.0, 200);
    stage.clock.advance(Duration::from_secs(61));
    let answer = stage.ask_as("good", None, WHO, json!({})).await;
    assert_eq!(refusal(&stage, &answer), refused(401, "UNAUTHENTICATED"));
}

#[tokio::test]
async fn a_file_that_changes_is_in_force_after_a_second_and_a_broken_one_changes_nothing() {
    let keys = file(&[row("first", &[READ], None, "")]);
    let stage = one_location(&keys).await;
    let status = async |key: &str| stage.ask_as(key, None, WHO, json!({})).await.0;
    let write = |text: &str| std::fs::write(keys.path(), text).expect("a file that can be written");
    let later = || stage.clock.advance(Duration::from_millis(1100));
    assert_eq!((status("first").await, status("second").await), (200, 401));

    write(&row("second", &[READ], None, ""));
    later();
    assert_eq!((status("second").await, status("first").await), (200, 401));
    for broken in ["this is = = not toml", "[[key]]\nname = \"x\"", "[[keys]]"] {
        write(broken);
        later();
        assert_eq!((status("second").await, status("first").await), (200, 401), "{broken}");
    }
    std::fs::remove_file(keys.path()).expect("a file that can be removed");
    later();
    assert_eq!((status("second").await, status("first").await), (200, 401));
    // Even a file that differs in nothing but one letter, and is of the same length.
    write(&row("third", &[READ], None, ""));
    later();
    assert_eq!((status("third").await, status("second").await), (200, 401));
    write("");
    later();
    assert_eq!((status("third").await, status("second").await), (401, 401));
}

#[tokio::test]
async fn a_location_is_open_to_the_keys_that_name_it() {
    let (sandbox, ids, settings) = several(3).await;
    let [a, b, c] = [&*ids[0], &*ids[1], &*ids[2]];
    let keys = file(&[
        row("a", &[READ], Some(&[a]), ""),
        row("ab", &[READ], Some(&[b, a]), ""),
        row("all", &[READ, WRITE], None, ""),
        row("none", &[READ], Some(&["LOC_gone"]), ""),
    ]);
    let auth = [("AUTH", "keys"), ("KEYS_FILE", keys.path().to_str().expect("a path"))];
    let stage = Stage::over(sandbox, &auth, Some(settings.path())).await;
    let at = async |key: &str, location: Option<&str>| stage.ask_as(key, location, WHO, json!({})).await;
    for (key, location, seen) in
        [("a", None, a), ("a", Some(a), a), ("ab", Some(a), a), ("ab", Some(b), b), ("all", Some(c), c)]
    {
        let (status, answer) = at(key, location).await;
        assert_eq!((status, &answer["data"]["gateway"]["location"]["id"]), (200, &json!(seen)), "{key} {answer}");
    }
    for (key, location) in [("a", b), ("ab", c), ("all", "LOC_gone"), ("none", "LOC_gone"), ("none", a), ("a", "")] {
        let answer = at(key, Some(location)).await;
        assert_eq!(refusal(&stage, &answer), refused(403, "FORBIDDEN"), "{key} at {location}");
    }
    assert_eq!(refusal(&stage, &at("none", None).await), refused(403, "FORBIDDEN"));

    // Several and none named: those are listed that this caller may use, and no other.
    let answer = at("ab", None).await;
    assert_eq!(refusal(&stage, &answer), refused(400, "BAD_USER_INPUT"));
    let message = answer.1["errors"][0]["message"].as_str().expect("a message");
    assert!(message.contains(a) && message.contains(b) && !message.contains(c), "{message}");
    // Who is nobody learns of no location.
    let answer = at("nobody", Some("LOC_gone")).await;
    assert_eq!(refusal(&stage, &answer), refused(401, "UNAUTHENTICATED"));
}

/// Random keys, locations, readings, changes and times, with the file exchanged in between: a key is answered from the locations of its
/// row, as they are, and from no other.
#[test]
fn no_sequence_of_reads_and_writes_shows_a_key_a_location_that_it_does_not_open() {
    let runtime = tokio::runtime::Runtime::new().expect("a runtime");
    let (stage, ids, rows, files) = runtime.block_on(async {
        let (sandbox, ids, settings) = several(3).await;
        let [a, b, c] = [&*ids[0], &*ids[1], &*ids[2]];
        let rights: [&[&str]; 4] = [&[a], &[b], &[b, c], &[a, b, c]];
        // Each key opens something else in the second file.
        let rows = [0, 1].map(|turn| {
            let row_of = |n: usize| row(&format!("k{n}"), &[READ, WRITE], Some(rights[(n + turn) % 4]), "");
            (0..4).map(row_of).collect::<String>()
        });
        let keys = file(&rows[..1]);
        let auth = [("AUTH", "keys"), ("KEYS_FILE", keys.path().to_str().expect("a path"))];
        let stage = Stage::over(sandbox, &auth, Some(settings.path())).await;
        (stage, ids, rows, (keys, settings))
    });
    let opens = |key: usize, turn: usize| -> &[usize] { [&[0][..], &[1], &[1, 2], &[0, 1, 2]][(key + turn) % 4] };
    let contacts = stage.ids();
    let steps = (0..4usize, proptest::option::of(0..3usize), 0..3usize, 0..6u8);
    let steps = proptest::collection::vec(steps, 1..25);
    let mut runner = TestRunner::new(Config { cases: 24, failure_persistence: None, ..Config::default() });
    let turn = std::cell::Cell::new(0);
    let outcome = runner.run(&steps, |steps| {
        runtime.block_on(async {
            for (number, (key, place, contact, event)) in steps.into_iter().enumerate() {
                match event {
                    0 => stage.clock.advance(Duration::from_secs(65)),
                    1 => {
                        turn.set(1 - turn.get());
                        std::fs::write(files.0.path(), &rows[turn.get()]).expect("a file that can be written");
                        stage.clock.advance(Duration::from_secs(2));
                    }
                    _ => {}
                }
                let open = opens(key, turn.get());
                let named = place.map(|place| &*ids[place]);
                let (key, id) = (format!("k{key}"), &contacts[contact]);
                if event == 2 {
                    let was: Vec<_> = ids.iter().map(|place| stage.sandbox.record(place, id).contact).collect();
                    let input = json!({ "input": { "id": id, "email": format!("{id}-{number}@new.example") } });
                    stage.ask_as(&key, named, RENAME, input).await;
                    for (place, was) in was.iter().enumerate() {
                        let now = stage.sandbox.record(&ids[place], id).contact;
                        let may = open.contains(&place) && Some(&*ids[place]) == named;
                        prop_assert!(now != *was || !may, "{} did not change {}", key, ids[place]);
                        prop_assert!(now == *was || open.contains(&place), "{} changed {}", key, ids[place]);
                    }
                }
                let (status, answer) = stage.ask_as(&key, named, NAME, json!({ "id": id })).await;
                let here = match place {
                    Some(place) => open.contains(&place).then_some(place),
                    None => (open.len() == 1).then(|| open[0]),
                };
                match here {
                    Some(here) => {
                        let email = stage.sandbox.record(&ids[here], &contacts[contact]).contact["email"].clone();
                        prop_assert_eq!(&answer["data"]["contact"]["email"], &email);
                        prop_assert_eq!(&answer["data"]["contact"]["locationId"], &ids[here]);
                    }
                    None => {
                        let code = if place.is_some() { (403, "FORBIDDEN") } else { (400, "BAD_USER_INPUT") };
                        prop_assert_eq!((status, errors(&answer)), (code.0, one_error("", code.1)));
                        let text = answer.to_string();
                        for closed in (0..3).filter(|place| !open.contains(place) && Some(&*ids[*place]) != named) {
                            prop_assert!(!text.contains(&*ids[closed]), "{} in {}", ids[closed], text);
                        }
                    }
                }
            }
            Ok(())
        })
    });
    outcome.expect("no sequence fails");
}
