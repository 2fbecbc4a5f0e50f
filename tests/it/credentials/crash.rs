//! A process that is killed at each step of a renewal, and the one that is started after it.

use std::fs::OpenOptions;

use contacts_gateway::sandbox::{Fault, Hold};

use super::served::{Served, run};
use super::*;

struct Scene {
    sandbox: Sandbox,
    state: TempDir,
    settings: Vec<(&'static str, String)>,
}

impl Scene {
    async fn new(quirks: &str) -> Self {
        let state = tempfile::tempdir().expect("a directory");
        let sandbox = sandbox(quirks).await;
        let settings = granted(&sandbox, &state);
        Self { sandbox, state, settings }
    }

    fn id(&self, n: usize) -> String {
        self.sandbox.contact_ids(&self.sandbox.info().location_id)[n].clone()
    }

    async fn start(&self) -> Served {
        Served::start(&self.sandbox, &self.settings).await
    }

    /// A gateway that has a token which is not good any more.
    async fn with_an_expired_token(&self) -> Served {
        let gateway = self.start().await;
        assert!(self.name(&gateway, 0).await);
        self.sandbox.expire_tokens();
        self.sandbox.reset();
        gateway
    }

    async fn name(&self, gateway: &Served, n: usize) -> bool {
        gateway.ask(NAME, json!({ "id": self.id(n) })).await["data"]["contact"]["name"].is_string()
    }

    /// Asks, waits until a call is held, and kills.
    async fn killed_while(&self, gateway: Served, hold: &Hold) {
        gateway.ask_and_go(NAME, &json!({ "id": self.id(1) }));
        hold.arrived(1).await;
        gateway.kill();
    }

    /// The calls for tokens since the last look.
    fn renewals(&self) -> [usize; 2] {
        let renewals = [TOKEN, RECONNECT].map(|route| self.sandbox.count(route));
        self.sandbox.reset();
        renewals
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn killed_before_the_upstream_took_the_token() {
    let scene = Scene::new("no-reconnect").await;
    let gateway = scene.with_an_expired_token().await;
    // It arrives, and the upstream does nothing with it.
    scene.sandbox.fault(Fault::on(TOKEN).status(503).times(1));
    let hold = scene.sandbox.hold_unanswered(TOKEN);
    scene.killed_while(gateway, &hold).await;
    hold.release();
    scene.renewals();
    let gateway = scene.start().await;
    assert!(scene.name(&gateway, 2).await);
    assert_eq!(scene.renewals(), [1, 0]);
}

/// The token was used, and nobody has its successor: the upstream gives a new code, or it is said what to do.
async fn nobody_has_the_successor(scene: &Scene, can_reconnect: bool) {
    scene.renewals();
    let gateway = scene.start().await;
    assert_eq!(scene.name(&gateway, 2).await, can_reconnect);
    if can_reconnect {
        assert_eq!(scene.renewals(), [2, 1], "refused, then by the code");
        return;
    }
    assert_eq!(scene.renewals(), [1, 1]);
    assert!(gateway.get("/health/ready").await.contains("not ready"));
    let (code, told) = run(&["check"], &scene.sandbox, &scene.settings).await;
    assert!(code == 1 && told.contains("/oauth/install"), "{told}");
}

#[tokio::test(flavor = "multi_thread")]
async fn killed_before_the_answer_arrived() {
    for (quirks, can_reconnect) in [("", true), ("no-reconnect", false)] {
        let scene = Scene::new(quirks).await;
        let gateway = scene.with_an_expired_token().await;
        let hold = scene.sandbox.hold(TOKEN);
        scene.killed_while(gateway, &hold).await;
        hold.release();
        nobody_has_the_successor(&scene, can_reconnect).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn killed_before_the_answer_was_written_down() {
    for (quirks, can_reconnect) in [("", true), ("no-reconnect", false)] {
        let scene = Scene::new(quirks).await;
        let gateway = scene.with_an_expired_token().await;
        let hold = scene.sandbox.hold(TOKEN);
        gateway.ask_and_go(NAME, &json!({ "id": scene.id(1) }));
        hold.arrived(1).await;
        // As long as this is locked, the database takes nothing.
        let lock = scene.state.path().join("credentials/grants.lock");
        let lock = OpenOptions::new().write(true).open(lock).expect("a lock");
        lock.lock().expect("locked");
        let reads = scene.sandbox.hold(CONTACT);
        hold.release();
        // The answer is on its way or there; it cannot get further.
        let answered = || scene.sandbox.calls().iter().any(|call| call.route == TOKEN && call.status == Some(200));
        while !answered() {
            tokio::task::yield_now().await;
        }
        assert_eq!(reads.count(), 0, "nothing is used before it is written down");
        gateway.kill();
        drop((lock, reads));
        nobody_has_the_successor(&scene, can_reconnect).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn killed_before_the_new_token_was_used() {
    let scene = Scene::new("no-reconnect").await;
    let gateway = scene.with_an_expired_token().await;
    // The first arrival is the one that is refused; the second has the new token.
    let hold = scene.sandbox.hold(CONTACT);
    gateway.ask_and_go(NAME, &json!({ "id": scene.id(1) }));
    hold.arrived(1).await;
    hold.release();
    let renewed = || scene.sandbox.calls().iter().any(|call| call.route == TOKEN && call.status == Some(200));
    let hold = scene.sandbox.hold(CONTACT);
    while !renewed() || hold.count() == 0 {
        tokio::task::yield_now().await;
    }
    gateway.kill();
    hold.release();
    scene.renewals();
    let gateway = scene.start().await;
    assert!(scene.name(&gateway, 2).await);
    assert_eq!(scene.renewals(), [0, 0], "what was written down is used");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_start_goes_on_with_the_newest_token_whatever_the_settings_still_hold() {
    let mut scene = Scene::new("no-reconnect").await;
    for _ in 0..3 {
        let gateway = scene.start().await;
        assert!(scene.name(&gateway, 0).await);
        scene.sandbox.expire_tokens();
        assert!(scene.name(&gateway, 1).await);
        gateway.kill();
        scene.sandbox.expire_tokens();
    }
    assert_eq!(scene.renewals()[0], 1 + 1 + 2 + 2);

    // A token that the settings did not hold before is one that somebody means.
    let location = scene.sandbox.info().location_id.clone();
    let first = scene.settings.iter().find(|(name, _)| *name == "OAUTH_REFRESH_TOKEN").expect("a token").1.clone();
    scene.sandbox.uninstall(&location);
    let newer = scene.sandbox.grant(&location);
    let set = |scene: &mut Scene, token: &str| {
        scene.settings.retain(|(name, _)| *name != "OAUTH_REFRESH_TOKEN");
        scene.settings.push(("OAUTH_REFRESH_TOKEN", token.to_owned()));
    };
    let gateway = scene.start().await;
    assert!(!scene.name(&gateway, 0).await);
    gateway.kill();
    set(&mut scene, &newer);
    let gateway = scene.start().await;
    assert!(scene.name(&gateway, 0).await);
    gateway.kill();
    // And whoever goes back to the old settings does not burn what comes after the new ones.
    set(&mut scene, &first);
    scene.start().await.kill();
    set(&mut scene, &newer);
    let gateway = scene.start().await;
    assert!(scene.name(&gateway, 1).await);
}

#[tokio::test(flavor = "multi_thread")]
async fn two_processes_of_one_state_directory_renew_once() {
    let scene = Scene::new("no-reconnect").await;
    let (one, two) = (scene.start().await, scene.start().await);
    assert!(scene.name(&one, 0).await && scene.name(&two, 1).await);
    assert_eq!(scene.renewals()[0], 1);
    scene.sandbox.expire_tokens();
    let hold = scene.sandbox.hold(CONTACT);
    let asks = futures_util::future::join(scene.name(&one, 2), scene.name(&two, 3));
    let (answered, ()) = tokio::join!(asks, async {
        hold.arrived(2).await;
        hold.release();
    });
    assert_eq!(answered, (true, true));
    assert_eq!(scene.renewals()[0], 1);
    // `check` beside them is a third.
    let (code, told) = run(&["check"], &scene.sandbox, &scene.settings).await;
    assert!(code == 0, "{told}");
    assert_eq!(scene.renewals()[0], 0);
}
