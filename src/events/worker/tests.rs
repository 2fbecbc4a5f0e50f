//! Order, tries, and ends, with what follows from events written down by a script.

use std::cell::Cell;
use std::collections::VecDeque;
use std::sync::{Arc, Mutex};

use futures_util::future::join;
use serde_json::json;
use tempfile::TempDir;
use tokio::sync::{mpsc, oneshot};

use super::super::hearing::Served;
use super::super::journal::{Journal, State};
use super::super::signatures::Signatures;
use super::*;
use crate::cache::{EntityCache, Epochs};
use crate::clock::Clock;
use crate::config::Webhooks;
use crate::metrics::Metrics;
use crate::upstream::{Client, Policy, Ttls, Upstream};

/// Events whose outcomes are told beforehand: those that fail, as often as they are named. What was tried comes out.
fn events(dir: &TempDir, failing: &[&str]) -> (Events, mpsc::Receiver<String>) {
    let (clock, metrics) = (Clock::default(), Arc::<Metrics>::default());
    let (tried, tries) = mpsc::channel(100);
    let failing: Mutex<VecDeque<String>> = Mutex::new(failing.iter().map(|id| (*id).to_owned()).collect());
    let follow: Follow = Box::new(move |entry, _| {
        tried.try_send(entry.event.clone().into()).unwrap();
        let mut failing = failing.lock().unwrap();
        let fails = failing.iter().position(|id| **id == *entry.event).map(|at| failing.remove(at));
        async move { if fails.is_some() { Err("not now".to_owned().into()) } else { Ok(()) } }.boxed()
    });
    let client =
        Client::new("http://127.0.0.1:9".parse().unwrap(), Duration::from_secs(1), 1, metrics.clone()).unwrap();
    let cache = EntityCache::new(1 << 20, Duration::ZERO, Arc::<Epochs>::default(), clock.clone());
    let none = Duration::ZERO;
    let ttls = Ttls {
        contact: none,
        tasks: none,
        notes: none,
        appointments: none,
        pages: none,
        stale_while_revalidate: none,
        stale_if_error: none,
    };
    let events = Events {
        signatures: Signatures::new(Webhooks::default()),
        journal: Journal::open(dir.path()).unwrap(),
        claims: None,
        served: Served::Any,
        upstream: Upstream::new(client, cache, (Policy { retries: 0 }, ttls), Arc::default(), |_| None),
        follow: Some(follow),
        inbox: Inbox::default(),
        folder: dir.path().to_owned(),
        room: Semaphore::new(1),
        clock,
        metrics,
    };
    (events, tries)
}

/// Takes events, each `contact-number`.
async fn take(events: &Events, ids: &[&str]) {
    for id in ids {
        let contact = id.split('-').next().unwrap();
        let body = json!({ "type": "ContactUpdate", "locationId": "L", "webhookId": id, "id": contact }).to_string();
        events.journal.take(Event::read(body.as_bytes()).ok().as_ref(), body.into(), events.now()).await.unwrap();
    }
    events.inbox.wake();
}

/// Works until so many tries were made and this is written down, and then ends. What was tried.
async fn tried(events: &Events, tries: &mut mpsc::Receiver<String>, count: usize, last: &[Known]) -> Vec<String> {
    let (stop, stopped) = oneshot::channel::<()>();
    let work = events.work(async {
        let _ = stopped.await;
    });
    let watch = async {
        let mut seen = Vec::new();
        while seen.len() < count {
            seen.push(tries.recv().await.unwrap());
        }
        // Time stands still while somebody is busy, and so nothing is given up for lack of it.
        while states(events) != last {
            yield_now().await;
        }
        drop(stop);
        seen
    };
    join(work, watch).await.1
}

/// Which event, how far it is, and how often it failed.
type Known = (&'static str, State, u32);

fn states(events: &Events) -> Vec<Known> {
    let mut entries = events.journal.last(100).unwrap();
    entries.reverse();
    let name = |id: &str| ["a-1", "a-2", "a-3", "b-1", "b-2"].into_iter().find(|name| *name == id).unwrap();
    entries.into_iter().map(|entry| (name(&entry.event), entry.state, entry.tries)).collect()
}

#[tokio::test(start_paused = true)]
async fn events_of_a_contact_follow_one_another_and_hold_up_no_other_contact() {
    let dir = tempfile::tempdir().unwrap();
    let (events, mut tries) = events(&dir, &["a-1", "a-1"]);
    take(&events, &["a-1", "a-2", "b-1", "a-3", "b-2"]).await;
    let done = |id, tries| (id, State::Done, tries);
    let last = [done("a-1", 2), done("a-2", 0), done("b-1", 0), done("a-3", 0), done("b-2", 0)];
    let seen = tried(&events, &mut tries, 7, &last).await;
    let of = |contact: &str| seen.iter().filter(|id| id.starts_with(contact)).cloned().collect::<Vec<_>>();
    assert_eq!(of("a"), ["a-1", "a-1", "a-1", "a-2", "a-3"]);
    assert_eq!(of("b"), ["b-1", "b-2"]);
    let second = seen.iter().position(|id| id == "b-1").unwrap();
    assert!(second < 2, "{seen:?}");
}

#[tokio::test(start_paused = true)]
async fn what_fails_too_often_is_dead_until_somebody_wants_it_again() {
    let dir = tempfile::tempdir().unwrap();
    let (events, mut tries) = events(&dir, &["a-1"; TRIES as usize]);
    take(&events, &["a-1", "a-2"]).await;
    let last = [("a-1", State::Dead, TRIES), ("a-2", State::Done, 0)];
    let seen = tried(&events, &mut tries, TRIES as usize + 1, &last).await;
    assert_eq!(seen.last().map(String::as_str), Some("a-2"));
    assert_eq!(events.replay(17).await, Ok(None));
    assert!(events.replay(1).await.unwrap().is_some());
    let last = [("a-1", State::Done, 0), ("a-2", State::Done, 0)];
    assert_eq!(tried(&events, &mut tries, 1, &last).await, ["a-1"]);
}

#[tokio::test(start_paused = true)]
async fn who_waits_for_another_try_does_not_hold_up_the_end_and_is_tried_after_the_next_start() {
    let dir = tempfile::tempdir().unwrap();
    let (one, mut tries) = events(&dir, &["a-1", "a-1"]);
    take(&one, &["a-1", "a-2"]).await;
    let last = [("a-1", State::Waiting, 2), ("a-2", State::Waiting, 0)];
    assert_eq!(tried(&one, &mut tries, 2, &last).await, ["a-1", "a-1"]);
    drop(one);
    let (other, mut tries) = events(&dir, &[]);
    let last = [("a-1", State::Done, 2), ("a-2", State::Done, 0)];
    assert_eq!(tried(&other, &mut tries, 2, &last).await, ["a-1", "a-2"]);
}

#[test]
fn the_waits_grow_and_end() {
    let waits: Vec<_> = (0..TRIES).map(|tries| backoff(tries).as_secs()).collect();
    assert_eq!(waits, [1, 4, 16, 64, 256, 1024, 3600, 3600]);
}

#[tokio::test(start_paused = true)]
async fn what_is_wanted_again_while_it_waits_is_tried_as_often_as_a_new_one() {
    let dir = tempfile::tempdir().unwrap();
    let (events, mut tries) = events(&dir, &["a-1"; TRIES as usize]);
    take(&events, &["a-1"]).await;
    let (stop, stopped) = oneshot::channel::<()>();
    let work = events.work(async {
        let _ = stopped.await;
    });
    let watch = async {
        for _ in 1..TRIES {
            tries.recv().await.unwrap();
        }
        while states(&events) != [("a-1", State::Waiting, TRIES - 1)] {
            yield_now().await;
        }
        let is_written = Cell::new(false);
        let replay = async {
            events.replay(1).await.unwrap();
            is_written.set(true);
        };
        let stand_still = async {
            while !is_written.get() {
                yield_now().await;
            }
        };
        join(replay, stand_still).await;
        tries.recv().await.unwrap();
        while states(&events) != [("a-1", State::Waiting, 1)] {
            yield_now().await;
        }
        drop(stop);
    };
    join(work, watch).await;
}

#[tokio::test(start_paused = true)]
async fn who_is_wanted_before_it_waits_does_not_wait() {
    let (inbox, began) = (Inbox::default(), tokio::time::Instant::now());
    inbox.again(7);
    inbox.wait(7, LONGEST_WAIT).await;
    assert_eq!(began.elapsed(), Duration::ZERO);
    inbox.again(8);
    inbox.wait(7, FIRST_WAIT).await;
    assert_eq!(began.elapsed(), FIRST_WAIT, "another one is wanted");
}

#[tokio::test]
async fn what_is_wanted_again_while_its_end_is_on_its_way_is_not_passed_over() {
    let dir = tempfile::tempdir().unwrap();
    let (events, _tries) = events(&dir, &[]);
    let (places, (_tell, stopping)) = (Semaphore::new(1), watch::channel(false));
    take(&events, &["a-1"]).await;
    // It was handled, and that is not known yet at the desk.
    let mut desk = Desk { from: 2, ..Desk::default() };
    desk.ids.insert(1);
    events.replay(1).await.unwrap();
    events.look(&mut desk, &places, &stopping).await;
    assert!(desk.busy.is_empty());
    events.next(&mut desk, &("L".into(), "a".into()), 1, &places, &stopping);
    events.look(&mut desk, &places, &stopping).await;
    assert!(desk.busy.len() == 1 && desk.ids.contains(&1));
}
