//! The limit of a location, kept by three gateways together: used whole, never overrun, whatever becomes of Redis.

use std::time::Duration;

use contacts_gateway::sandbox::RateLimit;
use serde_json::{Value, json};

use super::*;

/// Three calls that are made for nobody else.
const THREE: &str = "query($id: ID!) { contact(id: $id) { notes { id } appointments { id } } }";

fn limit(max: u64, window: u64) -> Options {
    Options { rate_limit: Some(RateLimit { max, window: Duration::from_millis(window) }), ..Options::default() }
}

/// What came of asking each of them for so many contacts that none was asked for, from this one on.
async fn ask_all(stages: &[Stage; 3], from: usize, each: usize) -> Vec<Value> {
    let ids = stages[0].ids();
    let asks = (0..3 * each).map(|n| stages[n % 3].ask(THREE, json!({ "id": ids[from + n] })));
    join_all(asks).await
}

/// How many calls the upstream answered, and how many it refused for the limit.
fn calls(stages: &[Stage; 3]) -> (usize, usize) {
    let calls = stages[0].sandbox.calls();
    let refused = calls.iter().filter(|call| call.status == Some(429)).count();
    (calls.len() - refused, refused)
}

/// The limit was used whole. Refused was nothing; or, where the machine is so busy that Redis did not answer a gateway in time, what
/// that one found out by.
fn was_kept(stages: &[Stage; 3], limit: usize) {
    let (answered, refused) = calls(stages);
    assert!(answered == limit && refused < 3, "{answered} answered, {refused} refused");
}

async fn sent(stage: &Stage) -> u64 {
    let text = stage.get("/metrics").send().await.unwrap().text().await.unwrap();
    let lines = text.lines().filter(|line| line.starts_with("gateway_upstream_calls_total"));
    lines.map(|line| line.rsplit(' ').next().unwrap().parse::<u64>().unwrap()).sum()
}

/// Waits until all of them know of each other, through this contact and the two after it.
async fn meet(stages: &[Stage; 3]) {
    for _ in 0..2 {
        assert!(ask_all(stages, 0, 1).await.iter().all(|answer| errors(answer).is_empty()));
    }
}

fn is_refused_for_the_limit(answer: &Value) -> bool {
    errors(answer).iter().all(|(_, code)| code == "RATE_LIMITED")
}

#[tokio::test(flavor = "multi_thread")]
async fn one_window_is_used_whole_by_three_and_not_overrun() {
    let Some(redis) = Redis::start() else { return };
    let stages = three(limit(100, 600_000), [&redis.url(); 3], &[]).await;
    meet(&stages).await;
    let answers = ask_all(&stages, 3, 40).await;
    assert!(answers.iter().all(is_refused_for_the_limit));
    was_kept(&stages, 100);
    for stage in &stages {
        let sent = sent(stage).await;
        assert!(sent > 6, "each has a share: {sent}");
        assert_eq!(stage.app.accounts()[0].standing().left, Some(0));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn many_windows_are_waited_for_and_none_is_overrun() {
    let Some(redis) = Redis::start() else { return };
    let stages = three(limit(40, 300), [&redis.url(); 3], &[]).await;
    meet(&stages).await;
    let answers = ask_all(&stages, 3, 30).await;
    assert!(answers.iter().all(|answer| errors(answer).is_empty()));
    was_kept(&stages, 9 + 270);
}

#[tokio::test(flavor = "multi_thread")]
async fn the_day_is_used_whole_by_three_and_not_overrun() {
    let Some(redis) = Redis::start() else { return };
    let options = Options { daily_limit: Some(60), ..limit(100_000, 1_000) };
    let stages = three(options, [&redis.url(); 3], &[]).await;
    meet(&stages).await;
    let answers = ask_all(&stages, 3, 40).await;
    assert!(answers.iter().all(is_refused_for_the_limit));
    was_kept(&stages, 60);
}

#[tokio::test(flavor = "multi_thread")]
async fn calls_that_others_make_with_the_same_credential_are_left_to_them() {
    let Some(redis) = Redis::start() else { return };
    let stages = three(limit(60, 600_000), [&redis.url(); 3], &[]).await;
    let (location, token) = (stages[0].sandbox.info().location_id.clone(), stages[0].sandbox.info().token.clone());
    let stranger = stages[0].beside(&[("LOCATION_ID", &location), ("API_KEY", &token)]).await;
    meet(&stages).await;
    for id in &stages[0].ids()[200..210] {
        assert_eq!(errors(&stranger.ask(THREE, json!({ "id": id })).await), []);
    }
    // The next answer tells what is left.
    assert_eq!(errors(&stages[0].ask(THREE, json!({ "id": stages[0].ids()[3] })).await), []);
    assert!(ask_all(&stages, 4, 30).await.iter().all(is_refused_for_the_limit));
    was_kept(&stages, 60);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_flushed_redis_lets_nobody_overrun_the_window() {
    let Some(redis) = Redis::start() else { return };
    let stages = three(limit(60, 600_000), [&redis.url(); 3], &[]).await;
    meet(&stages).await;
    for round in 1..8 {
        redis.ask(&["FLUSHALL"]);
        assert!(ask_all(&stages, 9 * round, 3).await.iter().all(is_refused_for_the_limit));
    }
    was_kept(&stages, 60);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_full_redis_keeps_the_limit_all_the_same() {
    let Some(redis) = Redis::start() else { return };
    let stages = three(limit(60, 600_000), [&redis.url(); 3], &[]).await;
    meet(&stages).await;
    redis.ask(&["CONFIG", "SET", "maxmemory", "1"]);
    assert!(ask_all(&stages, 3, 30).await.iter().all(is_refused_for_the_limit));
    was_kept(&stages, 60);
}

#[tokio::test(flavor = "multi_thread")]
async fn without_redis_each_keeps_to_its_part_and_they_go_on_together_when_it_is_back() {
    let Some(mut redis) = Redis::start() else { return };
    let stages = three(limit(60, 300), [&redis.url(); 3], &[]).await;
    meet(&stages).await;
    for from in [3, 63, 123] {
        if from == 63 {
            redis.kill();
        } else if from == 123 {
            redis.begin();
        }
        let answers = ask_all(&stages, from, 20).await;
        assert!(answers.iter().all(|answer| errors(answer).is_empty()), "{from}: {answers:?}");
    }
    let (answered, refused) = calls(&stages);
    assert!(answered == 9 + 3 * 180 && refused < 54, "{answered} answered, {refused} refused");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_redis_that_stands_still_or_is_cut_off_from_one_fails_no_request() {
    let Some(redis) = Redis::start() else { return };
    let wire = Wire::to(&redis).await;
    let (direct, wired) = (redis.url(), wire.url());
    let stages = three(limit(60, 300), [&direct, &direct, &wired], &[]).await;
    meet(&stages).await;
    redis.signal("-STOP");
    assert!(ask_all(&stages, 3, 10).await.iter().all(|answer| errors(answer).is_empty()));
    redis.signal("-CONT");
    wire.cut();
    assert!(ask_all(&stages, 33, 10).await.iter().all(|answer| errors(answer).is_empty()));
    wire.mend();
    assert!(ask_all(&stages, 63, 10).await.iter().all(|answer| errors(answer).is_empty()));
    assert_eq!(calls(&stages).0, 9 + 270);
}

#[tokio::test(flavor = "multi_thread")]
async fn started_without_redis_they_answer() {
    let Some(mut redis) = Redis::start() else { return };
    redis.kill();
    let stages = three(limit(60, 300), [&redis.url(); 3], &[]).await;
    assert!(ask_all(&stages, 0, 10).await.iter().all(|answer| errors(answer).is_empty()));
}
