//! The way in: what is taken, what is refused, and what comes again.

use aws_lc_rs::encoding::{AsDer, PublicKeyX509Der};
use aws_lc_rs::rand::SystemRandom;
use aws_lc_rs::rsa::KeySize;
use aws_lc_rs::signature::{RSA_PKCS1_SHA256, RsaKeyPair};

use std::time::{Duration, Instant};

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use super::*;

#[tokio::test(flavor = "multi_thread")]
async fn what_is_signed_is_taken_and_everything_else_refused_without_an_effect() {
    let sender = Sender::new();
    let stage = sender.stage(Options::default(), &[]).await;
    stage.profile().await;
    stage.calls();
    let update = event(&stage.sandbox, "ContactUpdate", &json!({ "id": contacts_gateway::sandbox::DEMO_CONTACT }));
    let body = update.to_string().into_bytes();
    let (good, strange) = (sender.sign(&body), Sender::new().sign(&body));
    let header = "x-ghl-signature";
    let cases: &[&[(&str, &str)]] = &[
        &[],
        &[(header, &strange)],
        &[(header, "AAAA")],
        &[(header, "no base64!")],
        &[("x-wh-signature", &good)],
        // Which of them was checked would be anybody's guess.
        &[(header, &good), (header, &strange)],
        &[(header, &strange), (header, &good)],
    ];
    for headers in cases {
        assert_eq!(post(&stage.url, body.clone(), headers).await, 401, "{headers:?}");
    }
    for (other, signature) in [(vec![], &good), ([&body[..], b" "].concat(), &good)] {
        assert_eq!(post(&stage.url, other, &[(header, signature)]).await, 401);
    }
    assert_eq!(outcomes(&stage, "unknown", "unsigned").await, 9);
    stage.profile().await;
    assert!(stage.calls().is_empty());
    assert_eq!(post(&stage.url, body, &[(header, &good)]).await, 200);
    handled(&stage, 1).await;
    stage.profile().await;
    assert_eq!(stage.calls(), [(CONTACT, 1)].into());
}

#[tokio::test(flavor = "multi_thread")]
async fn the_legacy_signature_counts_where_a_key_for_it_is_set() {
    let sender = Sender::new();
    let pair = RsaKeyPair::generate(KeySize::Rsa2048).unwrap();
    let der: PublicKeyX509Der<'_> = pair.public_key().as_der().unwrap();
    let pem = format!("-----BEGIN PUBLIC KEY-----\n{}\n-----END PUBLIC KEY-----\n", STANDARD.encode(der.as_ref()));
    let key = sender.folder.path().join("legacy.pem");
    std::fs::write(&key, pem).unwrap();
    let stage = sender.stage(Options::default(), &[("WEBHOOK_LEGACY_KEYS", key.to_str().unwrap())]).await;
    let body = event(&stage.sandbox, "ContactUpdate", &json!({ "id": "c" })).to_string().into_bytes();
    let mut signature = vec![0; pair.public_modulus_len()];
    pair.sign(&RSA_PKCS1_SHA256, &SystemRandom::new(), &body, &mut signature).unwrap();
    let legacy = STANDARD.encode(signature);
    assert_eq!(post(&stage.url, body.clone(), &[("x-ghl-signature", &legacy)]).await, 401);
    assert_eq!(post(&stage.url, body[1..].to_vec(), &[("x-wh-signature", &legacy)]).await, 401);
    assert_eq!(post(&stage.url, body.clone(), &[("x-wh-signature", &legacy)]).await, 200);
    assert_eq!(sender.send(&stage.url, body).await, 200, "the other kind goes on counting");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_comes_again_or_too_late_does_nothing() {
    let sender = Sender::new();
    let stage = sender.stage(Options::default(), &[]).await;
    let warm = async || {
        stage.profile().await;
        stage.calls();
    };
    let id = json!({ "id": contacts_gateway::sandbox::DEMO_CONTACT });
    let told = event(&stage.sandbox, "ContactUpdate", &id);
    assert_eq!(sender.tell(&stage, &told).await, 200);
    handled(&stage, 1).await;
    warm().await;
    let mut late = event(&stage.sandbox, "ContactUpdate", &id);
    late["timestamp"] = ago(3 * 3600).into();
    // The same id in another body is the same event.
    let mut same = told.clone();
    same["name"] = "Another".into();
    for again in [&told, &same, &late] {
        assert_eq!(sender.tell(&stage, again).await, 200);
    }
    let counts = [outcomes(&stage, "ContactUpdate", "seen").await, outcomes(&stage, "ContactUpdate", "late").await];
    assert_eq!(counts, [2, 1]);
    warm().await;
    assert!(stage.calls().is_empty());
    // What the sender sends again, after somebody on the way answered 429, is as good as new.
    let mut delayed = event(&stage.sandbox, "ContactUpdate", &id);
    delayed["timestamp"] = ago(75 * 60).into();
    assert_eq!(sender.tell(&stage, &delayed).await, 200);
    handled(&stage, 2).await;
    stage.profile().await;
    assert_eq!(stage.calls(), [(CONTACT, 1)].into());
}

#[tokio::test(flavor = "multi_thread")]
async fn an_event_without_an_id_is_known_by_its_bytes() {
    let sender = Sender::new();
    let stage = sender.stage(Options::default(), &[]).await;
    let mut update = event(&stage.sandbox, "ContactUpdate", &json!({ "id": contacts_gateway::sandbox::DEMO_CONTACT }));
    update.as_object_mut().unwrap().remove("webhookId");
    for _ in 0..2 {
        assert_eq!(sender.tell(&stage, &update).await, 200);
    }
    update["name"] = "Other bytes".into();
    assert_eq!(sender.tell(&stage, &update).await, 200);
    handled(&stage, 2).await;
    assert_eq!(outcomes(&stage, "ContactUpdate", "seen").await, 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_signed_but_strange_is_kept_and_ignored() {
    let sender = Sender::new();
    let stage = sender.stage(Options::default(), &[]).await;
    stage.profile().await;
    stage.calls();
    let demo = contacts_gateway::sandbox::DEMO_CONTACT;
    let mut elsewhere = event(&stage.sandbox, "ContactUpdate", &json!({ "id": demo }));
    elsewhere["locationId"] = "LOC_OTHER".into();
    let strange = [
        event(&stage.sandbox, "ContactTeleported", &json!({ "id": demo })),
        event(&stage.sandbox, "TaskCreate", &json!({ "id": "t1", "title": "x" })),
        event(&stage.sandbox, "ContactUpdate", &json!({})),
        event(&stage.sandbox, "ContactUpdate", &json!({ "id": 17, "tags": "x" })),
        event(&stage.sandbox, "ContactUpdate", &json!({ "id": format!("../{demo}") })),
        event(&stage.sandbox, "AppointmentUpdate", &json!({ "appointment": "none" })),
        elsewhere,
        json!([1, 2]),
        json!("text"),
        json!({}),
    ];
    let mut bodies: Vec<_> = strange.iter().map(|body| body.to_string().into_bytes()).collect();
    bodies.extend([b"\xff\xfe no JSON".to_vec(), Vec::new(), vec![b'['; 10_000]]);
    for body in &bodies {
        assert_eq!(sender.send(&stage.url, body.clone()).await, 200, "{}", String::from_utf8_lossy(body));
    }
    handled(&stage, bodies.len() as u64).await;
    stage.profile().await;
    assert!(stage.calls().is_empty());
    let listed = stage.app.events().unwrap().journal().last(100).unwrap();
    assert!(listed.iter().all(|entry| entry.state == contacts_gateway::events::journal::State::Ignored));
    assert_eq!(outcomes(&stage, "unreadable", "ignored").await, 6);
    assert_eq!(outcomes(&stage, "other", "ignored").await, 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_body_that_is_too_large_is_refused() {
    let sender = Sender::new();
    let stage = sender.stage(Options::default(), &[("BODY_LIMIT", "1KiB")]).await;
    let large = event(&stage.sandbox, "ContactUpdate", &json!({ "id": "x".repeat(2000) }));
    assert_eq!(sender.tell(&stage, &large).await, 413);
    assert_eq!(sender.tell(&stage, &event(&stage.sandbox, "ContactUpdate", &json!({ "id": "x" }))).await, 200);
}

#[tokio::test(flavor = "multi_thread")]
async fn many_at_once_are_all_taken() {
    let sender = Sender::new();
    let stage = sender.stage(Options::default(), &[]).await;
    let ids = stage.ids();
    let events: Vec<_> =
        (0..300).map(|n| event(&stage.sandbox, "ContactUpdate", &json!({ "id": ids[n % 100] }))).collect();
    let told = futures_util::future::join_all(events.iter().map(|event| sender.tell(&stage, event))).await;
    assert!(told.iter().all(|status| *status == 200), "{told:?}");
    handled(&stage, 300).await;
    assert_eq!(outcomes(&stage, "ContactUpdate", "done").await, 300);
}

#[tokio::test(flavor = "multi_thread")]
async fn without_keys_no_events_are_taken_and_no_state_is_kept() {
    let folder = tempfile::tempdir().unwrap();
    let state = folder.path().join("state");
    let stage = Stage::set(&[("STATE_DIR", state.to_str().unwrap())]).await;
    let sender = Sender::new();
    assert_eq!(sender.tell(&stage, &event(&stage.sandbox, "ContactUpdate", &json!({ "id": "x" }))).await, 404);
    assert_eq!(stage.get("/webhooks/contacts").send().await.unwrap().status(), 405);
    assert!(!state.exists());
}

#[test]
fn keys_that_are_none_and_a_state_directory_that_cannot_be_used_are_told_at_the_start() {
    use crate::commands::{gateway, told};
    let sender = Sender::new();
    let [(_, key), _] = sender.settings();
    let (broken, file) = (sender.folder.path().join("broken.pem"), sender.folder.path().join("file"));
    std::fs::write(&broken, "-----BEGIN PRIVATE KEY-----\nplanted\n-----END PRIVATE KEY-----").unwrap();
    std::fs::write(&file, "").unwrap();
    let (broken, file) = (broken.display().to_string(), file.display().to_string());
    let keys = format!("{key},{broken},/no/such/key");
    let good = [("LISTEN", "127.0.0.1:0"), ("LOCATION_ID", "L1"), ("API_KEY", "pit-x"), ("STATE_DIR", &*file)];
    let output = gateway(&["serve"], &[&good[..], &[("WEBHOOK_KEYS", &keys), ("WEBHOOK_LEGACY_KEYS", &key)]].concat());
    let problems = told(&output);
    assert_eq!(output.status.code(), Some(64), "{problems}");
    for named in [&*broken, "/no/such/key", "GATEWAY_WEBHOOK_LEGACY_KEYS", "Ed25519", "RSA"] {
        assert!(problems.contains(named), "{named}: {problems}");
    }
    assert!(!problems.contains("planted"), "{problems}");
    let output = gateway(&["serve"], &[&good[..], &[("WEBHOOK_KEYS", &key)]].concat());
    assert!(output.status.code() == Some(1) && told(&output).contains("GATEWAY_STATE_DIR"), "{}", told(&output));
}

#[tokio::test(flavor = "multi_thread")]
async fn one_without_an_id_and_a_time_forgets_whenever_it_comes() {
    let sender = Sender::new();
    let stage = sender.stage(Options::default(), &[]).await;
    let told = json!({ "type": "ContactUpdate", "locationId": stage.sandbox.info().location_id,
                       "id": contacts_gateway::sandbox::DEMO_CONTACT });
    assert_eq!(sender.tell(&stage, &told).await, 200);
    handled(&stage, 1).await;
    stage.profile().await;
    stage.calls();
    // It may be the same one, or another of the same words.
    assert_eq!(sender.tell(&stage, &told).await, 200);
    assert_eq!(outcomes(&stage, "ContactUpdate", "seen").await, 1);
    stage.profile().await;
    assert_eq!(stage.calls(), [(CONTACT, 1)].into());
}

#[tokio::test(flavor = "multi_thread")]
async fn bodies_that_do_not_come_keep_others_from_their_room_for_a_moment_alone() {
    let sender = Sender::new();
    let stage = sender.stage(Options::default(), &[]).await;
    let address = stage.url.trim_start_matches("http://");
    let mut slow = Vec::new();
    for _ in 0..256 {
        let mut stream = TcpStream::connect(address).await.expect("a connection");
        let head = "POST /webhooks/contacts HTTP/1.1\r\nhost: x\r\nx-ghl-signature: AAAA\r\ncontent-length: 9\r\n\r\n{";
        stream.write_all(head.as_bytes()).await.expect("a connection that takes it");
        slow.push(stream);
    }
    let update = event(&stage.sandbox, "ContactUpdate", &json!({ "id": "c" }));
    let began = Instant::now();
    assert_eq!(sender.tell(&stage, &update).await, 200);
    assert!(began.elapsed() < Duration::from_secs(8), "{:?}", began.elapsed());
    let mut answer = [0; 12];
    slow[0].read_exact(&mut answer).await.expect("an answer");
    assert_eq!(&answer, b"HTTP/1.1 408");
}
