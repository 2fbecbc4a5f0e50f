//! Tokens that three gateways have together: renewed once for all of them, whatever becomes of Redis.

use std::time::Duration;

use contacts_gateway::sandbox::{Fault, Sandbox};
use serde_json::{Value, json};
use tempfile::TempDir;
use tokio::time::timeout;

use super::*;

pub const TOKEN: &str = "POST /oauth/token";
pub const NAME: &str = "query Name($id: ID!) { contact(id: $id) { id name } }";

/// Gateways with a state directory each, over one sandbox.
struct Together {
    stages: Vec<Stage>,
    folders: Vec<TempDir>,
}

pub async fn sandbox() -> Sandbox {
    Sandbox::start(Options { oauth: true, contacts: 60, rate_limit: soon_over(), ..Options::default() }, local().await)
}

pub fn settings(sandbox: &Sandbox, url: &str, folder: &TempDir) -> Vec<(&'static str, String)> {
    let app = sandbox.info().oauth.clone().expect("a sandbox with OAuth");
    vec![
        ("LOCATION_ID", sandbox.info().location_id.clone()),
        ("OAUTH_CLIENT_ID", app.client_id),
        ("OAUTH_CLIENT_SECRET", app.client_secret),
        ("OAUTH_REFRESH_TOKEN", app.refresh_token),
        ("OAUTH_REDIRECT_URL", "https://gateway.test/oauth/callback".into()),
        ("OAUTH_AUTHORIZE_URL", format!("{}/v2/oauth/chooselocation", sandbox.url())),
        ("STATE_DIR", folder.path().display().to_string()),
        ("REDIS_URL", url.to_owned()),
        ("TTL_CONTACT", "0s".to_owned()),
        ("REQUEST_TIMEOUT", "60s".to_owned()),
    ]
}

impl Together {
    async fn new(urls: [&str; 3]) -> Self {
        let sandbox = sandbox().await;
        let folder = tempfile::tempdir().unwrap();
        let set = settings(&sandbox, urls[0], &folder);
        let set: Vec<_> = set.iter().map(|(name, value)| (*name, &**value)).collect();
        let first = Stage::over(sandbox, &set, None).await;
        let mut these = Self { stages: vec![first], folders: vec![folder] };
        for url in &urls[1..] {
            these.join(url).await;
        }
        these
    }

    /// One more, on a new machine.
    async fn join(&mut self, url: &str) -> usize {
        let folder = tempfile::tempdir().unwrap();
        let set = settings(&self.stages[0].sandbox, url, &folder);
        let set: Vec<_> = set.iter().map(|(name, value)| (*name, &**value)).collect();
        self.stages.push(self.stages[0].beside(&set).await);
        self.folders.push(folder);
        self.stages.len() - 1
    }

    async fn ask(&self, n: usize, contact: usize) -> Value {
        self.stages[n].ask(NAME, json!({ "id": self.stages[n].ids()[contact] })).await
    }

    /// Asks all of them at once, several times each.
    async fn ask_all(&self, contact: usize) {
        let asks = (0..4 * self.stages.len()).map(|n| self.ask(n % self.stages.len(), contact));
        for answer in join_all(asks).await {
            assert!(answer["data"]["contact"]["name"].is_string(), "{answer}");
        }
    }

    fn renewals(&self) -> usize {
        self.stages[0].sandbox.count(TOKEN)
    }

    fn expire(&self) {
        self.stages[0].sandbox.expire_tokens();
    }

    /// Waits until so many calls for contacts came since the last look at the counts.
    async fn until_asked(&self, calls: usize) {
        while self.stages[0].sandbox.count(CONTACT) < calls {
            tokio::task::yield_now().await;
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_first_token_and_each_one_after_it_is_bought_once() {
    let Some(redis) = Redis::start() else { return };
    let these = Together::new([&redis.url(); 3]).await;
    for round in 1..4 {
        these.ask_all(round).await;
        assert_eq!(these.renewals(), round);
        these.expire();
    }
    // Nobody who looks into Redis finds a token.
    let all = redis.hashes("grant");
    for folder in &these.folders {
        assert!(folder.path().join("credentials/grants.redb").exists());
    }
    let held = |text: &str| all.windows(text.len()).any(|part| part == text.as_bytes());
    assert!(!held("access_token") && !held("refresh_token") && held("version"));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_redis_that_was_flushed_costs_no_second_renewal() {
    let Some(redis) = Redis::start() else { return };
    let these = Together::new([&redis.url(); 3]).await;
    these.ask_all(1).await;
    these.expire();
    redis.ask(&["FLUSHALL"]);
    these.ask_all(2).await;
    assert_eq!(these.renewals(), 2);
    these.ask_all(3).await;
    assert_eq!(these.renewals(), 2);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_redis_that_is_flushed_meanwhile_costs_no_second_renewal() {
    let Some(redis) = Redis::start() else { return };
    let these = Together::new([&redis.url(); 3]).await;
    these.ask_all(1).await;
    these.expire();
    let hold = these.stages[0].sandbox.hold(TOKEN);
    let ((), ()) = tokio::join!(these.ask_all(2), async {
        hold.arrived(1).await;
        redis.ask(&["FLUSHALL"]);
        // Until the lock is there again.
        while redis.hashes("grant").is_empty() {
            tokio::task::yield_now().await;
        }
        hold.release();
    });
    assert_eq!(these.renewals(), 2);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_redis_that_stands_still_is_waited_for() {
    let Some(redis) = Redis::start() else { return };
    let these = Together::new([&redis.url(); 3]).await;
    these.ask_all(1).await;
    these.expire();
    these.stages[0].calls();
    redis.signal("-STOP");
    let ((), ()) = tokio::join!(these.ask_all(2), async {
        these.until_asked(1).await;
        redis.signal("-CONT");
    });
    assert_eq!(these.renewals(), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_redis_that_is_full_keeps_tokens_all_the_same() {
    let Some(redis) = Redis::start() else { return };
    let mut these = Together::new([&redis.url(); 3]).await;
    these.ask_all(1).await;
    redis.ask(&["CONFIG", "SET", "maxmemory", "1"]);
    these.expire();
    these.ask_all(2).await;
    these.join(&redis.url()).await;
    these.ask_all(3).await;
    assert_eq!(these.renewals(), 2);
}

#[tokio::test(flavor = "multi_thread")]
async fn who_comes_with_nothing_takes_the_newest_token_also_from_a_redis_that_was_started_empty() {
    let Some(mut redis) = Redis::start() else { return };
    let mut these = Together::new([&redis.url(); 3]).await;
    these.ask_all(1).await;
    these.expire();
    these.ask_all(2).await;
    let late = these.join(&redis.url()).await;
    assert_eq!(errors(&these.ask(late, 3).await), []);
    redis.kill();
    redis.begin();
    let later = these.join(&redis.url()).await;
    assert_eq!(errors(&these.ask(later, 4).await), []);
    assert_eq!(these.renewals(), 2);
}

#[tokio::test(flavor = "multi_thread")]
async fn without_redis_who_bought_the_newest_token_renews_it_and_the_others_do_not() {
    let Some(mut redis) = Redis::start() else { return };
    let these = Together::new([&redis.url(); 3]).await;
    these.ask_all(1).await;
    these.expire();
    // The second one buys the next, and the others hear of it.
    assert_eq!(errors(&these.ask(1, 2).await), []);
    these.stages[0].calls();
    for n in [0, 2] {
        while these.stages[0].sandbox.calls().iter().any(|call| call.status == Some(401))
            || !errors(&these.ask(n, 3).await).is_empty()
        {
            these.stages[0].calls();
        }
    }
    these.stages[0].calls();
    redis.kill();
    these.expire();
    let answers = join_all((0..3).map(|n| these.ask(n, 4))).await;
    let codes: Vec<_> = answers.iter().map(errors).collect();
    assert_eq!(
        codes,
        [one_error("contact", "UPSTREAM_UNAVAILABLE"), vec![], one_error("contact", "UPSTREAM_UNAVAILABLE")]
    );
    assert_eq!(these.renewals(), 1);
    // It tells the others when Redis is back.
    redis.begin();
    for n in [0, 2] {
        while !errors(&these.ask(n, 5).await).is_empty() {
            tokio::task::yield_now().await;
        }
    }
    assert_eq!(these.renewals(), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn one_that_is_cut_off_takes_the_token_that_was_bought_meanwhile() {
    let Some(redis) = Redis::start() else { return };
    let wire = Wire::to(&redis).await;
    let (direct, wired) = (redis.url(), wire.url());
    let these = Together::new([&direct, &direct, &wired]).await;
    // The first one buys the first token.
    assert_eq!(errors(&these.ask(0, 1).await), []);
    these.ask_all(1).await;
    wire.cut();
    these.expire();
    these.stages[0].calls();
    let late = async {
        let answer = these.ask(2, 2).await;
        assert_eq!(errors(&answer), []);
    };
    let ((), ()) = tokio::join!(late, async {
        these.until_asked(1).await;
        assert_eq!(errors(&these.ask(0, 2).await), []);
        wire.mend();
    });
    assert_eq!(these.renewals(), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn who_was_cut_off_while_it_renewed_does_not_send_a_token_again_that_another_one_used() {
    let Some(redis) = Redis::start() else { return };
    let wire = Wire::to(&redis).await;
    let (direct, wired) = (redis.url(), wire.url());
    let these = Together::new([&wired, &direct, &direct]).await;
    // By the time that this is answered, the lock has run out and another one has had its turn.
    these.stages[0].sandbox.fault(Fault::on(TOKEN).status(503).delay(Duration::from_secs(9)).times(1));
    let ((), ()) = tokio::join!(
        async {
            assert_eq!(errors(&these.ask(0, 1).await), []);
        },
        async {
            while these.renewals() < 1 {
                tokio::task::yield_now().await;
            }
            wire.cut();
            assert_eq!(errors(&these.ask(1, 2).await), []);
            wire.mend();
        }
    );
    these.ask_all(3).await;
    assert_eq!(these.renewals(), 2);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_redis_that_forgot_the_newest_token_has_it_told_again_before_anybody_renews() {
    let Some(mut redis) = Redis::start() else { return };
    let (near, far) = (Wire::to(&redis).await, Wire::to(&redis).await);
    let these = Together::new([&near.url(), &far.url(), &near.url()]).await;
    these.ask_all(1).await;
    redis.ask(&["SAVE"]);
    // The first one buys the next, and the second does not hear of it.
    far.cut();
    these.expire();
    assert_eq!(errors(&these.ask(0, 2).await), []);
    near.cut();
    redis.kill();
    redis.begin();
    far.mend();
    let ((), ()) = tokio::join!(
        async {
            assert_eq!(errors(&these.ask(1, 3).await), []);
        },
        async {
            let is_asked = async {
                while !redis.hashes("grant").windows(5).any(|part| part == b"doubt") {
                    tokio::task::yield_now().await;
                }
            };
            timeout(Duration::from_secs(20), is_asked)
                .await
                .expect("the others are asked whether they have a newer one");
            near.mend();
        }
    );
    assert_eq!(these.renewals(), 2);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_failover_costs_no_second_renewal() {
    let Some(mut watched) = Watched::start() else { return };
    let these = Together::new([&watched.url(); 3]).await;
    these.ask_all(1).await;
    watched.fail();
    these.expire();
    these.ask_all(2).await;
    assert_eq!(these.renewals(), 2);
}
