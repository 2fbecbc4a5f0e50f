//! An installation at one of two gateways: it is in force at both, whatever became of the grant before it meanwhile.

use std::fs::{self, File, OpenOptions};
use std::time::Duration;

use futures_util::future::join;
use serde_json::json;
use tempfile::TempDir;
use tokio::time::timeout;

use super::grants::{NAME, TOKEN, sandbox, settings};
use super::*;
use crate::credentials::install::{begin, come_back, grant, install};

const RECONNECT: &str = "POST /oauth/reconnect";

/// Two gateways with a state directory each, that nobody granted access before.
struct Two {
    stages: Vec<Stage>,
    folders: [TempDir; 2],
    urls: [String; 2],
}

impl Two {
    async fn new(urls: [String; 2]) -> Self {
        let sandbox = sandbox().await;
        let folders = [(); 2].map(|()| tempfile::tempdir().expect("a directory"));
        let set = settings(&sandbox, &urls[0], &folders[0]);
        let first = Stage::over(sandbox, &without_token(&set), None).await;
        let mut these = Self { stages: vec![first], folders, urls };
        let second = these.start(1).await;
        these.stages.push(second);
        these
    }

    /// One is installed, and both are served.
    async fn install(&self, at: usize) {
        assert_eq!(install(&self.stages[at], "").await, 200);
        self.until_served().await;
        assert_eq!(self.renewals(), [1, 0]);
    }

    async fn start(&self, n: usize) -> Stage {
        let set = settings(&self.stages[0].sandbox, &self.urls[n], &self.folders[n]);
        self.stages[0].beside(&without_token(&set)).await
    }

    async fn restart(&mut self, n: usize) {
        self.stages[n] = self.start(n).await;
    }

    /// Whether it gets an answer from the upstream.
    async fn is_served(&self, n: usize) -> bool {
        let answer = self.stages[n].ask(NAME, json!({ "id": self.stages[n].ids()[0] })).await;
        answer["data"]["contact"]["name"].is_string()
    }

    async fn until_served(&self) {
        for n in [0, 1] {
            soon(async {
                while !self.is_served(n).await {
                    tokio::task::yield_now().await;
                }
            })
            .await;
        }
    }

    /// How often a token was asked for since the last look, by a token or a code, and a code for what was lost.
    fn renewals(&self) -> [usize; 2] {
        let sandbox = &self.stages[0].sandbox;
        let renewals = [TOKEN, RECONNECT].map(|route| sandbox.count(route));
        sandbox.reset();
        renewals
    }

    /// Has the next use of the token need another one.
    fn expire(&self) {
        self.stages[0].sandbox.expire_tokens();
    }

    /// What was granted before is good for nothing from now on.
    fn uninstall(&self) {
        let sandbox = &self.stages[0].sandbox;
        sandbox.uninstall(&sandbox.info().location_id);
    }

    /// As long as this lives, the database takes and gives nothing.
    fn locked(&self, n: usize) -> File {
        let path = self.folders[n].path().join("credentials/grants.lock");
        let lock = OpenOptions::new().write(true).open(path).expect("a lock");
        lock.lock().expect("locked");
        lock
    }

    /// Both have the same grant, in use and on the disk: it is renewed once for both, and nothing was lost.
    async fn have_the_same(mut self, mut redis: Redis) {
        redis.kill();
        for n in [0, 1] {
            self.restart(n).await;
            assert!(self.is_served(n).await, "from the disk");
        }
        assert_eq!(self.renewals(), [0, 0]);
        redis.begin();
        self.expire();
        self.until_served().await;
        assert_eq!(self.renewals(), [1, 0]);
    }
}

fn without_token<'a>(settings: &'a [(&'static str, String)]) -> Vec<(&'a str, &'a str)> {
    let others = settings.iter().filter(|(name, _)| *name != "OAUTH_REFRESH_TOKEN");
    others.map(|(name, value)| (*name, value.as_str())).collect()
}

/// Nothing of this takes longer, unless it never comes.
async fn soon(wait: impl Future<Output = ()>) {
    timeout(Duration::from_secs(30), wait).await.expect("an end");
}

/// The version of the one grant that Redis has.
fn version(redis: &Redis) -> u64 {
    let text = String::from_utf8_lossy(&redis.hashes("grant")).into_owned();
    let (_, rest) = text.split_once("version").expect("a grant");
    let digits: String = rest.chars().take_while(char::is_ascii_digit).collect();
    digits.parse().expect("a number")
}

async fn until_told(redis: &Redis, before: u64) {
    soon(async {
        while version(redis) <= before {
            tokio::task::yield_now().await;
        }
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_installation_while_redis_is_away_goes_before_what_was_renewed_meanwhile() {
    let Some(redis) = Redis::start() else { return };
    let wire = Wire::to(&redis).await;
    let mut these = Two::new([wire.url(), redis.url()]).await;
    these.install(0).await;
    wire.cut();
    for _ in 0..2 {
        these.expire();
        assert!(these.is_served(1).await);
    }
    assert_eq!(these.renewals(), [2, 0]);
    let before = version(&redis);
    these.uninstall();
    assert_eq!(install(&these.stages[0], "").await, 200);
    assert!(these.is_served(0).await);
    these.restart(0).await;
    assert!(these.is_served(0).await);
    assert_eq!(version(&redis), before);
    wire.mend();
    until_told(&redis, before).await;
    these.until_served().await;
    assert_eq!(these.renewals(), [1, 0]);
    these.have_the_same(redis).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_installation_while_redis_stands_still_is_told_when_it_goes_on() {
    let Some(redis) = Redis::start() else { return };
    let these = Two::new([redis.url(), redis.url()]).await;
    these.install(0).await;
    let before = version(&redis);
    these.uninstall();
    redis.signal("-STOP");
    assert_eq!(install(&these.stages[0], "").await, 200);
    redis.signal("-CONT");
    until_told(&redis, before).await;
    these.until_served().await;
    assert_eq!(these.renewals(), [1, 0]);
    these.have_the_same(redis).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_installation_that_is_not_written_down_yet_is_not_forgotten_for_what_another_renews() {
    let Some(redis) = Redis::start() else { return };
    let these = Two::new([redis.url(), redis.url()]).await;
    these.install(0).await;
    let before = version(&redis);
    these.expire();
    let ours = these.folders[0].path().join("credentials");
    let (database, aside) = (ours.join("grants.redb"), ours.join("aside"));
    fs::rename(&database, &aside).expect("a move");
    fs::create_dir(&database).expect("something in its place");
    fs::write(database.join("file"), "").expect("something in that");
    assert_eq!(install(&these.stages[0], "").await, 502);
    fs::remove_dir_all(&database).expect("a directory");
    fs::rename(&aside, &database).expect("a move");
    assert!(these.is_served(1).await);
    // The one after that is the installation.
    until_told(&redis, before + 1).await;
    these.until_served().await;
    assert_eq!(these.renewals(), [2, 0], "the installation and a renewal");
    these.have_the_same(redis).await;
}

/// The second one renews, by a clock that is ahead, and the first is installed. `late`: which of them writes its pair down last.
async fn installed_while_another_renews(late: usize) {
    let Some(redis) = Redis::start() else { return };
    let two = Two::new([redis.url(), redis.url()]).await;
    two.stages[1].clock.advance(Duration::from_secs(3600));
    two.install(1).await;
    let (these, before) = (&two, version(&redis));
    these.expire();
    let hold = these.stages[0].sandbox.hold(TOKEN);
    let (is_served, status) = join(these.is_served(1), async {
        hold.arrived(1).await;
        these.uninstall();
        let begun = begin(&these.stages[0]).await;
        let back = grant(&begun.page).await;
        let (_, query) = back.split_once('?').expect("a query");
        let (answer, ()) = join(come_back(&these.stages[0], query, &begun.cookie), async {
            hold.arrived(2).await;
            let lock = these.locked(late);
            hold.release();
            until_told(&redis, before).await;
            drop(lock);
        })
        .await;
        answer.status()
    })
    .await;
    assert_eq!(status, 200);
    // What it bought is dead, so it depends on when it hears of the other.
    assert!(is_served || late == 0);
    these.until_served().await;
    assert_eq!(these.renewals(), [2, 0], "a renewal and the installation");
    two.have_the_same(redis).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_installation_goes_before_a_renewal_that_comes_in_between() {
    installed_while_another_renews(0).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_installation_goes_before_a_renewal_that_comes_late() {
    installed_while_another_renews(1).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_state_that_was_used_at_one_is_used_for_both() {
    let Some(redis) = Redis::start() else { return };
    let these = Two::new([redis.url(), redis.url()]).await;
    for (asked, answered) in [(0, 1), (1, 0)] {
        let begun = begin(&these.stages[asked]).await;
        let back = grant(&begun.page).await;
        let (_, query) = back.split_once('?').expect("a query");
        let statuses = [answered, asked, answered].map(|n| come_back(&these.stages[n], query, &begun.cookie));
        let mut seen = Vec::new();
        for answer in statuses {
            seen.push(answer.await.status().as_u16());
        }
        assert_eq!((seen, these.renewals()), (vec![200, 400, 400], [1, 0]));
        these.until_served().await;
        assert_eq!(these.renewals(), [0, 0]);
    }
}
