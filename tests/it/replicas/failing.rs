//! What becomes of gateways that share a Redis when it fails: they answer all the same, none shows what was before a change of its own, and
//! afterwards they are as they were.

use super::server::Wire;
use super::*;

/// Each one answers, and sees its own change.
async fn all_go_on(all: &[Stage], mark: &str) {
    let ids = all[0].ids();
    for (one, id) in all.iter().zip(&ids[10..]) {
        one.call_it(id, mark).await;
        assert_eq!(one.first_name(id).await, mark);
        one.first_name(&ids[20]).await;
    }
}

/// Each one sees what was changed through each.
async fn all_are_joined(all: &[Stage], mark: &str) {
    for one in all {
        one.joined().await;
    }
    for (writer, id) in all.iter().zip(&all[0].ids()[30..]) {
        writer.call_it(id, mark).await;
        for one in all {
            one.tells(id, mark).await;
        }
    }
}

/// Each one sees what the others changed meanwhile, though its time is not over.
async fn all_know(all: &[Stage], mark: &str) {
    for id in &all[0].ids()[10..13] {
        for one in all {
            one.tells(id, mark).await;
        }
    }
}

/// So that what was there before is held by all.
async fn all_hold(all: &[Stage]) {
    for one in all {
        for id in &all[0].ids()[10..13] {
            one.first_name(id).await;
        }
    }
}

#[tokio::test]
async fn redis_is_killed_and_comes_back_empty() {
    let Some((mut redis, all)) = three(&[]).await else { return };
    all_hold(&all).await;
    redis.kill();
    for one in &all {
        one.cut_off().await;
    }
    all_go_on(&all, "Alone").await;
    redis.begin();
    all_are_joined(&all, "Again").await;
    all_know(&all, "Alone").await;
    // No herd: what all have forgotten, one reads.
    let id = &all[0].ids()[40];
    all[0].calls();
    join_all((0..30).map(|n| all[n % 3].first_name(id))).await;
    assert_eq!(all[0].calls(), calls(&[(CONTACT, 1)]));
}

#[tokio::test]
async fn redis_comes_back_with_what_it_saved_before_a_change() {
    let Some((mut redis, all)) = three(&[]).await else { return };
    let id = &all[0].ids()[3];
    all[0].first_name(id).await;
    all[1].first_name(id).await;
    redis.ask(&["SAVE"]);
    all[0].call_it(id, "Since").await;
    redis.kill();
    redis.begin();
    assert_eq!(redis.values("value").len(), 1, "the old value is there");
    let url = redis.url();
    let newcomer = all[0].twin(&[("REDIS_URL", &url)]).await;
    newcomer.joined().await;
    assert_eq!(newcomer.first_name(id).await, "Since");
}

#[tokio::test]
async fn redis_stands_still() {
    let Some((redis, all)) = three(&[]).await else { return };
    all_hold(&all).await;
    redis.signal("-STOP");
    all_go_on(&all, "Still").await;
    redis.signal("-CONT");
    all_are_joined(&all, "Moving").await;
    all_know(&all, "Still").await;
}

#[tokio::test]
async fn a_redis_that_stands_still_is_waited_for_once_and_gives_no_turn_to_who_has_gone() {
    const LOSSES: &str = "gateway_redis_losses_total ";
    const ALONE: &str = "gateway_second_level_total{outcome=\"alone\"} ";
    let Some((redis, all)) = three(&[]).await else { return };
    let mut before = Vec::new();
    for one in &all {
        before.push((one.metric(LOSSES).await, one.metric(ALONE).await));
    }
    redis.signal("-STOP");
    // Of many that ask at once, and one after another, nobody waits for it after the first have found out.
    let ids = &all[0].ids()[..30];
    join_all(ids[..15].iter().enumerate().map(|(n, id)| all[n % 3].first_name(id))).await;
    for (n, id) in ids.iter().enumerate().skip(15) {
        all[n % 3].first_name(id).await;
    }
    all_go_on(&all, "Alone").await;
    for (one, (losses, alone)) in all.iter().zip(before) {
        assert_eq!(one.metric(LOSSES).await - losses, 1);
        assert!(one.metric(ALONE).await - alone >= 10);
    }
    redis.signal("-CONT");
    for one in &all {
        one.joined().await;
    }
    // Looks that were given up were in its sockets.
    assert!(redis.values("turn").is_empty(), "a turn of nobody holds all others up");
    all_are_joined(&all, "Moving").await;
}

#[tokio::test]
async fn redis_is_flushed() {
    let Some((redis, all)) = three(&[]).await else { return };
    all_hold(&all).await;
    redis.ask(&["FLUSHALL"]);
    all_go_on(&all, "Flushed").await;
    all_are_joined(&all, "Filled").await;
    all_know(&all, "Flushed").await;
}

#[tokio::test]
async fn redis_is_full() {
    let Some((redis, all)) = three(&[]).await else { return };
    all_hold(&all).await;
    redis.ask(&["CONFIG", "SET", "maxmemory", "1"]);
    all_go_on(&all, "Full").await;
    // What is forgotten is told all the same.
    all_know(&all, "Full").await;
    redis.ask(&["CONFIG", "SET", "maxmemory", "0"]);
    all_are_joined(&all, "Roomy").await;
}

#[tokio::test]
async fn redis_takes_no_writes() {
    let Some((redis, all)) = three(&[]).await else { return };
    all_hold(&all).await;
    // As with a disk that is full, for every command that would write.
    redis.ask(&["CONFIG", "SET", "min-replicas-to-write", "1"]);
    for one in &all {
        one.cut_off().await;
    }
    all_go_on(&all, "Refused").await;
    // What is forgotten is told all the same.
    all_know(&all, "Refused").await;
    redis.ask(&["CONFIG", "SET", "min-replicas-to-write", "0"]);
    all_are_joined(&all, "Taken").await;
}

#[tokio::test]
async fn redis_becomes_the_replica_of_another_one() {
    let Some((redis, all)) = three(&[]).await else { return };
    all_hold(&all).await;
    redis.ask(&["REPLICAOF", "127.0.0.1", "1"]);
    for one in &all {
        one.cut_off().await;
    }
    all_go_on(&all, "Alone").await;
    redis.ask(&["REPLICAOF", "NO", "ONE"]);
    all_are_joined(&all, "Again").await;
    all_know(&all, "Alone").await;
}

#[tokio::test]
async fn one_is_cut_off_and_knows_better_when_its_time_is_over_or_when_it_is_back() {
    let Some(redis) = Redis::start() else { return };
    let wire = Wire::to(&redis).await;
    let (near, far) = (redis.url(), wire.url());
    let first = Stage::set(&[("REDIS_URL", &*near)]).await;
    let cut = first.twin(&[("REDIS_URL", &far)]).await;
    let ids = first.ids();
    for one in [&first, &cut] {
        one.joined().await;
        for id in &ids[..2] {
            one.first_name(id).await;
        }
        one.first_name(&ids[2]).await;
    }
    wire.cut();
    cut.cut_off().await;
    // Its own change is seen by itself, and what it does not know of is good for no longer than ever.
    cut.call_it(&ids[2], "Inside").await;
    assert_eq!(cut.first_name(&ids[2]).await, "Inside");
    first.call_it(&ids[0], "Outside").await;
    assert_ne!(cut.first_name(&ids[0]).await, "Outside");
    cut.clock.advance(Duration::from_secs(60));
    assert_eq!(cut.first_name(&ids[0]).await, "Outside");
    // Back, it forgets what it held, and tells what it changed.
    cut.first_name(&ids[1]).await;
    first.call_it(&ids[1], "Outside").await;
    assert_ne!(cut.first_name(&ids[1]).await, "Outside");
    wire.mend();
    cut.joined().await;
    assert_eq!(cut.first_name(&ids[1]).await, "Outside");
    first.tells(&ids[2], "Inside").await;
}

#[tokio::test]
async fn they_start_without_redis_and_join_when_it_comes() {
    let Some(mut redis) = Redis::start() else { return };
    redis.kill();
    let url = redis.url();
    let first = Stage::set(&[("REDIS_URL", &*url)]).await;
    let second = first.twin(&[("REDIS_URL", &url)]).await;
    let all = [first, second];
    all_go_on(&all, "Before").await;
    redis.begin();
    all_are_joined(&all, "Together").await;
}
