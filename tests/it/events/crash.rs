//! A process that is killed while events come, again and again: what it answered 200 for is there, once, and is handled.

use std::collections::BTreeSet;

use futures_util::StreamExt;
use futures_util::stream::FuturesUnordered;

use super::*;
use crate::credentials::served::{Served, run};

#[tokio::test(flavor = "multi_thread")]
async fn every_event_that_was_taken_is_handled_once_whenever_the_process_is_killed() {
    let sender = Sender::new();
    let sandbox = Sandbox::start(Options::default(), local().await);
    let info = sandbox.info();
    let mut settings = sender.settings().to_vec();
    settings.extend([("LOCATION_ID", info.location_id.clone()), ("API_KEY", info.token.clone())]);
    let (mut taken, mut sent) = (BTreeSet::new(), 0);
    for round in 1..=5 {
        let gateway = Served::start(&sandbox, &settings).await;
        let mut answers: FuturesUnordered<_> = (0..60)
            .map(|n| {
                let id = format!("w-{}", sent + n);
                let event = json!({ "type": "NoteCreate", "locationId": info.location_id, "webhookId": id,
                                    "timestamp": ago(0), "id": "n", "contactId": info.contact_id });
                let (body, url) = (event.to_string().into_bytes(), format!("{}/webhooks/contacts", gateway.url));
                let request = reqwest::Client::new().post(url).header("x-ghl-signature", sender.sign(&body)).body(body);
                async move { (id, request.send().await.is_ok_and(|answer| answer.status() == 200)) }
            })
            .collect();
        sent += 60;
        for _ in 0..round * 9 {
            let (id, was_taken) = answers.next().await.expect("an answer");
            assert!(was_taken);
            taken.insert(id);
        }
        // While the others are on their way.
        gateway.kill();
        while let Some((id, was_taken)) = answers.next().await {
            if was_taken {
                taken.insert(id);
            }
        }
    }
    let gateway = Served::start(&sandbox, &settings).await;
    while !gateway.get("/metrics").await.contains("gateway_journal_events{state=\"waiting\"} 0") {}
    let (code, listed) = run(&["events", "list", "--json", "--limit", "1000"], &sandbox, &settings).await;
    assert_eq!(code, 0, "{listed}");
    let rows: Vec<Value> = serde_json::from_str(&listed).expect("rows");
    assert!(rows.iter().all(|row| row["state"] == "done"), "{listed}");
    let listed: Vec<String> = rows.iter().map(|row| row["event"].as_str().expect("an id").to_owned()).collect();
    let kept: BTreeSet<String> = listed.iter().cloned().collect();
    assert_eq!(kept.len(), listed.len(), "each is there once");
    assert!(taken.is_subset(&kept), "{:?} are missing", taken.difference(&kept));
    assert!(taken.len() >= 9 * 15);
}
