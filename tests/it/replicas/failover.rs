//! What becomes of gateways that ask sentinels where the Redis is, when it is another one.

use std::cell::Cell;

use super::server::{Watched, Wire};
use super::*;

async fn two(url: &str) -> [Stage; 2] {
    let settings = [("REDIS_URL", url)];
    let first = Stage::set(&settings).await;
    let second = first.twin(&settings).await;
    for one in [&first, &second] {
        one.joined().await;
    }
    [first, second]
}

/// The very next read of the other one sees what was changed, and costs the one call.
async fn each_sees_what_the_other_changes(all: &[Stage; 2], mark: &str) {
    for (writer, id) in all.iter().zip(&all[0].ids()[30..]) {
        for one in all {
            one.first_name(id).await;
        }
        all[0].calls();
        writer.call_it(id, mark).await;
        for one in all {
            assert_eq!(one.first_name(id).await, mark);
        }
        assert_eq!(all[0].calls(), calls(&[(UPDATE, 1), (CONTACT, 1)]));
    }
}

/// Has both answer and see their own changes until that is over; then each knows what the other one changed last.
async fn both_go_on_until(all: &[Stage; 2], over: impl Future<Output = ()>) {
    let ids = &all[0].ids()[10..12];
    let is_over = Cell::new(false);
    let meanwhile = async {
        for turn in 0.. {
            for (one, id) in all.iter().zip(ids) {
                one.call_it(id, &format!("M{turn}")).await;
                assert_eq!(one.first_name(id).await, format!("M{turn}"));
            }
            if is_over.get() {
                break;
            }
        }
    };
    let over = async {
        timeout(LONG, over).await.expect("it is over");
        is_over.set(true);
    };
    tokio::join!(meanwhile, over);
    let last: Vec<_> = join_all(all.iter().zip(ids).map(|(one, id)| one.first_name(id))).await;
    for (one, (id, last)) in all.iter().rev().zip(ids.iter().zip(&last)) {
        one.tells(id, last.as_str().expect("a name")).await;
    }
}

#[tokio::test]
async fn a_failover_is_followed_and_no_request_fails_meanwhile() {
    let Some(mut watched) = Watched::start() else { return };
    let all = two(&watched.url()).await;
    each_sees_what_the_other_changes(&all, "Before").await;
    watched.fail();
    let back = all.iter().map(|one| async {
        one.cut_off().await;
        one.joined().await;
    });
    let back = async {
        join_all(back).await;
    };
    both_go_on_until(&all, back).await;
    each_sees_what_the_other_changes(&all, "After").await;
}

#[tokio::test]
async fn an_old_primary_that_does_not_know_of_its_end_is_left() {
    let Some(watched) = Watched::start() else { return };
    let Some(other) = Redis::start() else { return };
    let all = two(&watched.url()).await;
    each_sees_what_the_other_changes(&all, "Before").await;
    watched.replace(&other);
    let moved = async {
        while (watched.primary.hearers(), other.hearers(), other.members()) != (0, 2, 2) {
            tokio::task::yield_now().await;
        }
    };
    both_go_on_until(&all, moved).await;
    each_sees_what_the_other_changes(&all, "After").await;
    assert!(watched.primary.told::<String>(&["INFO", "replication"]).contains("role:master"));
}

#[tokio::test]
async fn what_one_told_a_server_that_the_other_had_left_is_told_again() {
    let Some(old) = Redis::start() else { return };
    let Some(new) = Redis::start() else { return };
    let (near, far) = (Wire::to(&old).await, Wire::to(&old).await);
    let (near_url, far_url) = (near.url(), far.url());
    let first = Stage::set(&[("REDIS_URL", &*near_url)]).await;
    let second = first.twin(&[("REDIS_URL", &far_url)]).await;
    first.joined().await;
    second.joined().await;
    let id = &first.ids()[3];
    far.lead(&new);
    let moved = async {
        while (new.hearers(), new.members()) != (1, 1) {
            tokio::task::yield_now().await;
        }
    };
    timeout(LONG, moved).await.expect("the second one hears the new server");
    // Long enough for it to have forgotten what was before.
    for id in &first.ids()[..10] {
        second.first_name(id).await;
    }
    first.call_it(id, "Apart").await;
    assert_ne!(second.first_name(id).await, "Apart");
    near.lead(&new);
    second.tells(id, "Apart").await;
}
