//! Who goes when, on a clock that only moves when everybody waits.

use futures_util::future::join_all;
use tokio::task::JoinHandle;
use tokio::time::{Instant, advance};

use super::*;
use crate::upstream::errand::Payer;

fn ms(ms: u64) -> Duration {
    Duration::from_millis(ms)
}

fn governor(concurrency: usize) -> Arc<Governor> {
    Governor::new(Allowance { concurrency, ..Allowance::default() }, "", None)
}

fn errand(payer: u64) -> Errand {
    Errand::new(Payer(payer), None)
}

fn told(max: u32, left: u32) -> Limits {
    Limits { max: Some(max), remaining: Some(left), window: Some(ms(10_000)), ..Limits::default() }
}

/// Sends one call that is answered at once, and tells a limit of which so many are left.
async fn call(governor: &Arc<Governor>, max: u32, left: u32) {
    let mut permit = governor.admit(&errand(0)).await.expect("leave");
    permit.answered(&told(max, left), None);
    permit.end(End::Good, true);
}

/// Calls that wait, each of whom writes its name down when it may go.
fn wait(governor: &Arc<Governor>, list: &Arc<Mutex<Vec<String>>>, errand: Errand, name: String) -> JoinHandle<()> {
    let (governor, list) = (governor.clone(), list.clone());
    tokio::spawn(async move {
        let mut permit = governor.admit(&errand).await.expect("leave");
        list.lock().expect("the list").push(name);
        permit.answered(&Limits::default(), None);
        permit.end(End::Good, true);
    })
}

#[tokio::test(start_paused = true)]
async fn no_more_go_at_once_than_was_set_and_a_place_goes_to_the_next() {
    let governor = governor(2);
    let first = governor.admit(&errand(0)).await.expect("leave");
    let _second = governor.admit(&errand(0)).await.expect("leave");
    let (errand, other) = (errand(0), governor.clone());
    let third = tokio::spawn(async move { other.admit(&errand).await.map(drop) });
    tokio::task::yield_now().await;
    assert_eq!(governor.standing().waiting, [0, 1, 0]);
    drop(first);
    assert_eq!(third.await.expect("an end"), Ok(()));
    assert_eq!(governor.state().in_flight, 1);
}

#[tokio::test(start_paused = true)]
async fn a_window_that_is_used_up_is_waited_for_and_then_used_whole() {
    let governor = governor(200);
    let began = Instant::now();
    let list = Arc::default();
    call(&governor, 5, 4).await;
    let waiting = (0..12).map(|n| wait(&governor, &list, errand(0), n.to_string()));
    let waiting: Vec<_> = waiting.collect();
    advance(ms(1)).await;
    let gone = || list.lock().expect("the list").len();
    assert_eq!(gone(), 4);
    advance(ms(9_998)).await;
    assert_eq!(gone(), 4);
    join_all(waiting).await;
    let took = began.elapsed();
    assert!(took >= ms(20_000) && took < ms(20_100), "{took:?}");
}

#[tokio::test(start_paused = true)]
async fn those_who_pay_take_turns_and_changes_go_before_readings() {
    let governor = governor(1);
    let list = Arc::default();
    let held = governor.admit(&errand(0)).await.expect("leave");
    let mut waiting = Vec::new();
    for (payer, times) in [(1, 4), (2, 2), (3, 1)] {
        for n in 0..times {
            waiting.push(wait(&governor, &list, errand(payer), format!("{payer}{}", ["a", "b", "c", "d"][n])));
            tokio::task::yield_now().await;
        }
    }
    waiting.push(wait(&governor, &list, errand(1).in_lane(Lane::Writes), "change".to_owned()));
    tokio::task::yield_now().await;
    drop(held);
    join_all(waiting).await;
    assert_eq!(*list.lock().expect("the list"), ["change", "1a", "2a", "3a", "1b", "2b", "1c", "1d"]);
}

#[tokio::test(start_paused = true)]
async fn what_nobody_waits_for_goes_last_and_leaves_a_part_of_each_window() {
    let governor = governor(200);
    let began = Instant::now();
    let list = Arc::default();
    call(&governor, 20, 19).await;
    let waiting: Vec<_> =
        (0..30).map(|n| wait(&governor, &list, errand(0).in_lane(Lane::Background), n.to_string())).collect();
    advance(ms(1)).await;
    let gone = || list.lock().expect("the list").len();
    assert_eq!(gone(), 17, "two of twenty are left");
    // Who comes later and waits for an answer gets one of those, and the rest goes in the next windows.
    wait(&governor, &list, errand(1), "reading".to_owned()).await.expect("an end");
    assert_eq!((gone(), began.elapsed() < ms(100)), (18, true));
    join_all(waiting).await;
    let took = began.elapsed();
    assert!(gone() == 31 && took >= ms(10_000) && took < ms(10_100), "{took:?}");
}

#[tokio::test(start_paused = true)]
async fn who_has_no_time_to_wait_is_told_at_once_for_how_long_it_would_be() {
    let governor = governor(200);
    call(&governor, 2, 1).await;
    call(&governor, 2, 0).await;
    advance(ms(1_000)).await;
    let until = |wait| Errand::new(Payer(0), Some(Instant::now() + ms(wait)));
    let began = Instant::now();
    assert_eq!(governor.admit(&until(8_000)).await.map(drop), Err(Held::Limit(ms(9_000))));
    assert_eq!(began.elapsed(), Duration::ZERO);
    // Three windows' worth wait already.
    let list = Arc::default();
    let waiting: Vec<_> = (0..6).map(|n| wait(&governor, &list, errand(0), n.to_string())).collect();
    tokio::task::yield_now().await;
    assert_eq!(governor.admit(&until(30_000)).await.map(drop), Err(Held::Limit(ms(39_000))));
    // Another one who pays takes turns with them.
    let other = Errand::new(Payer(1), Some(Instant::now() + ms(30_000)));
    let other = wait(&governor, &list, other, "other".to_owned());
    join_all(waiting).await;
    other.await.expect("an end");
    assert_eq!(list.lock().expect("the list")[1], "other");
}

#[tokio::test(start_paused = true)]
async fn a_renewal_goes_at_once_or_not_at_all() {
    let governor = governor(1);
    let renewal = errand(0).in_lane(Lane::Renewals);
    let held = governor.admit(&renewal).await.expect("leave");
    assert_eq!(governor.admit(&renewal).await.map(drop), Err(Held::Late));
    drop(held);
    call(&governor, 10, 1).await;
    assert_eq!(governor.admit(&renewal).await.map(drop), Err(Held::Late), "the last ones are for those who wait");
    assert!(governor.admit(&errand(0)).await.is_ok());
}

#[tokio::test(start_paused = true)]
async fn those_who_have_gone_hold_up_nobody_and_are_not_remembered_without_end() {
    let governor = governor(1);
    let held = governor.admit(&errand(0)).await.expect("leave");
    for _ in 0..5_000 {
        let errand = Errand::new(Payer(0), Some(Instant::now()));
        assert_eq!(governor.admit(&errand).await.map(drop), Err(Held::Late));
    }
    assert!(governor.state().waiting <= 1_025, "{} are remembered", governor.state().waiting);
    let (other, errand) = (governor.clone(), errand(0));
    let last = tokio::spawn(async move { other.admit(&errand).await.map(drop) });
    tokio::task::yield_now().await;
    drop(held);
    assert_eq!(last.await.expect("an end"), Ok(()));
    assert_eq!(governor.state().in_flight, 0);
    assert_eq!(governor.state().waiting, 0);
}

#[tokio::test(start_paused = true)]
async fn tries_after_the_first_are_a_share_of_the_first_ones_and_a_few_in_quiet_times() {
    let governor = governor(200);
    let retries = async || {
        let mut count = 0;
        while governor.may_retry() {
            send(&governor).await;
            count += 1;
        }
        count
    };
    assert_eq!(retries().await, 20);
    advance(ms(10_000)).await;
    for _ in 0..100 {
        send(&governor).await;
    }
    assert_eq!(retries().await, 50);
    advance(ms(10_000)).await;
    assert_eq!(retries().await, 20);
}

/// A call of which nothing is told.
async fn send(governor: &Arc<Governor>) {
    let mut permit = governor.admit(&errand(0)).await.expect("leave");
    permit.answered(&Limits::default(), None);
}

#[tokio::test(start_paused = true)]
async fn while_the_upstream_is_down_nobody_goes_and_nobody_waits() {
    let governor = governor(200);
    let errand = errand(0);
    call(&governor, 21, 20).await;
    let mut permits = Vec::new();
    for _ in 0..20 {
        permits.push(governor.admit(&errand).await.expect("leave"));
    }
    let (other, waiting) = (governor.clone(), errand.clone());
    let waiting = tokio::spawn(async move { other.admit(&waiting).await.map(drop) });
    tokio::task::yield_now().await;
    for mut permit in permits {
        permit.goes();
        permit.end(End::Bad, true);
    }
    assert_eq!(waiting.await.expect("an end"), Err(Held::Down));
    assert_eq!(governor.admit(&errand).await.map(drop), Err(Held::Down));
    assert!(governor.standing().is_down);
    advance(ms(10_000)).await;
    let mut one = governor.admit(&errand).await.expect("one that tries");
    assert!(one.tries());
    assert_eq!(governor.admit(&errand).await.map(drop), Err(Held::Down));
    one.end(End::Good, true);
    drop(one);
    assert!(governor.admit(&errand).await.is_ok_and(|permit| !permit.tries()));
}

#[tokio::test(start_paused = true)]
async fn a_call_that_was_given_up_when_its_time_was_over_has_failed() {
    let governor = governor(200);
    let mut permits = Vec::new();
    for _ in 0..20 {
        let late = Errand::new(Payer(0), Some(Instant::now() + PAUSE));
        // What was never sent, or a moment ago, says nothing of the upstream.
        drop(governor.admit(&Errand::new(Payer(0), Some(Instant::now()))).await);
        let mut brief = governor.admit(&Errand::new(Payer(0), Some(Instant::now()))).await.expect("leave");
        brief.goes();
        drop(brief);
        assert!(!governor.standing().is_down);
        let mut permit = governor.admit(&late).await.expect("leave");
        permit.goes();
        permits.push(permit);
    }
    advance(PAUSE).await;
    drop(permits);
    assert!(governor.standing().is_down);
}

#[tokio::test(start_paused = true)]
async fn calls_of_before_it_came_back_do_not_open_it_again() {
    let governor = governor(200);
    call(&governor, 100, 99).await;
    let mut permits = Vec::new();
    for _ in 0..40 {
        permits.push(governor.admit(&errand(0)).await.expect("leave"));
    }
    let rest = permits.split_off(20);
    permits.into_iter().for_each(|mut permit| permit.end(End::Bad, true));
    advance(PAUSE).await;
    governor.admit(&errand(0)).await.expect("one that tries").end(End::Good, true);
    assert!(!governor.standing().is_down);
    rest.into_iter().for_each(|mut permit| permit.end(End::Bad, true));
    assert!(!governor.standing().is_down);
}

#[tokio::test(start_paused = true)]
async fn those_who_have_gone_make_nobody_think_that_the_line_is_long() {
    let governor = governor(200);
    call(&governor, 2, 1).await;
    call(&governor, 2, 0).await;
    for _ in 0..20 {
        let errand = Errand::new(Payer(0), Some(Instant::now() + ms(200_000)));
        let gone = governor.admit(&errand);
        assert!(tokio::time::timeout(Duration::ZERO, gone).await.is_err());
    }
    assert_eq!(governor.standing().waiting, [0, 20, 0]);
    let errand = Errand::new(Payer(0), Some(Instant::now() + ms(15_000)));
    assert!(governor.admit(&errand).await.is_ok());
}

#[tokio::test(start_paused = true)]
async fn credentials_of_one_location_share_its_places() {
    let places = Arc::new(Semaphore::new(1));
    let two = [0, 1].map(|_| Governor::new(Allowance::default(), "", Some(places.clone())));
    let held = two[0].admit(&errand(0)).await.expect("leave");
    let late = Errand::new(Payer(0), Some(Instant::now() + ms(100)));
    assert_eq!(two[1].admit(&late).await.map(drop), Err(Held::Late));
    drop(held);
    assert!(two[1].admit(&late).await.is_ok());
}
