//! A sandbox in a test's hands.

use super::{
    control::Info,
    door::Credential,
    fault::Fault,
    hold::Hold,
    lock,
    options::Options,
    route,
    server::run,
    store::{Location, Record},
    traffic::Call,
    webhooks::Posted,
    world::{World, nanos},
};
use serde_json::Value;
use std::{net::SocketAddr, sync::Arc, sync::atomic::Ordering::Relaxed, time::Duration};
use tokio::{net::TcpListener, sync::oneshot, task::JoinHandle};

/// A running sandbox. Dropping it stops it.
///
/// Methods that name a location, contact or route panic when there is none of that name: the test is wrong then.
pub struct Sandbox {
    world: Arc<World>,
    address: SocketAddr,
    stop: Option<oneshot::Sender<()>>,
    server: Option<JoinHandle<()>>,
}

impl Sandbox {
    /// Serves on the listener, in the runtime of the caller.
    ///
    /// # Panics
    /// When the listener has no address, or outside a runtime.
    pub fn start(options: Options, listener: TcpListener) -> Self {
        Self::launch(options, listener, true)
    }

    /// The same, with counters only: [`Sandbox::calls`] stays empty, however long it runs.
    ///
    /// # Panics
    /// When the listener has no address, or outside a runtime.
    pub fn start_counting(options: Options, listener: TcpListener) -> Self {
        Self::launch(options, listener, false)
    }

    fn launch(options: Options, listener: TcpListener, keep_calls: bool) -> Self {
        let address = listener.local_addr().expect("a bound listener has an address");
        let world = World::new(options, keep_calls);
        let (stop, stopped) = oneshot::channel::<()>();
        let shared = world.clone();
        let server = tokio::spawn(async move {
            let signal = async { drop(stopped.await) };
            if let Err(error) = run(shared, listener, signal).await {
                tracing::error!(%error, "the sandbox ended");
            }
        });
        Self { world, address, stop: Some(stop), server: Some(server) }
    }

    /// Where it listens, without a slash at the end.
    pub fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    /// What a client needs to connect.
    pub fn info(&self) -> &Info {
        &self.world.info
    }

    /// Stops, and returns when nothing listens any more.
    pub async fn stop(mut self) {
        drop(self.stop.take());
        if let Some(server) = self.server.take()
            && let Err(error) = server.await
        {
            tracing::error!(%error, "the sandbox panicked");
        }
    }

    /// All calls since the last reset, in order of arrival.
    pub fn calls(&self) -> Vec<Call> {
        self.world.traffic.calls()
    }

    /// Calls of one route since the last reset, for example `GET /contacts/{contactId}`.
    pub fn count(&self, template: &str) -> usize {
        known(template);
        self.world.traffic.counts().routes.get(template).copied().unwrap_or(0)
    }

    /// All calls since the last reset.
    pub fn total(&self) -> usize {
        self.world.traffic.counts().routes.values().sum()
    }

    /// The most calls that were under way at once since the last reset.
    pub fn max_in_flight(&self) -> usize {
        self.world.traffic.counts().max_in_flight
    }

    /// Forgets the calls. Data, rules and limits stay.
    pub fn reset(&self) {
        self.world.traffic.reset();
    }

    /// Adds a rule after those in force.
    pub fn fault(&self, rule: Fault) {
        if let Err(problem) = self.world.faults.add(rule) {
            panic!("a bad rule: {problem}");
        }
    }

    /// Takes back all rules.
    pub fn clear_faults(&self) {
        self.world.faults.clear();
    }

    /// From now on data calls take so long.
    pub fn set_latency(&self, latency: Duration) {
        self.world.latency.store(nanos(latency), Relaxed);
    }

    /// From now on lists and searches show the contacts as they were so long ago; with the longest time there is, as they
    /// are at this moment. Zero lets them catch up.
    pub fn set_list_lag(&self, lag: Duration) {
        lock::write(&self.world.store).values_mut().for_each(|location| location.lag(lag));
    }

    /// Holds calls to a route; each answer is made when its call arrives, from the data of that moment.
    pub fn hold(&self, template: &str) -> Hold {
        known(template);
        self.world.gates.close(template, true)
    }

    /// Holds calls to a route; each answer is made when its call goes on, from the data of that moment.
    pub fn hold_unanswered(&self, template: &str) -> Hold {
        known(template);
        self.world.gates.close(template, false)
    }

    /// A copy of what is stored for a contact.
    pub fn record(&self, location: &str, contact: &str) -> Record {
        let store = lock::read(&self.world.store);
        let found = store.get(location).and_then(|location| location.get(contact));
        found.cloned().unwrap_or_else(|| panic!("no contact {contact} in {location}"))
    }

    /// The ids of all contacts, in list order.
    pub fn contact_ids(&self, location: &str) -> Vec<String> {
        let store = lock::read(&self.world.store);
        store.get(location).map(Location::ids).unwrap_or_else(|| panic!("no location {location}"))
    }

    /// Changes a contact and what belongs to it.
    pub fn update(&self, location: &str, contact: &str, change: impl FnOnce(&mut Record)) {
        let mut store = lock::write(&self.world.store);
        let found = store.get_mut(location).is_some_and(|location| location.change(contact, change));
        assert!(found, "no contact {contact} in {location}");
    }

    /// Changes the contact alone.
    pub fn update_contact(&self, location: &str, contact: &str, change: impl FnOnce(&mut Value)) {
        self.update(location, contact, |record| change(&mut record.contact));
    }

    /// Takes a contact away.
    pub fn remove_contact(&self, location: &str, contact: &str) {
        let mut store = lock::write(&self.world.store);
        let found = store.get_mut(location).is_some_and(|location| location.remove(contact));
        assert!(found, "no contact {contact} in {location}");
    }

    /// From now on this token opens the location, with these scopes.
    pub fn allow(&self, token: &str, location: &str, scopes: &[&str]) {
        let credential = Credential::lasting(location, scopes.iter().map(ToString::to_string).collect());
        lock::write(&self.world.credentials).insert(token.into(), credential);
    }

    /// From now on this token opens nothing.
    pub fn revoke(&self, token: &str) {
        lock::write(&self.world.credentials).remove(token);
    }

    /// Every access token that was granted so far is dead, as after its day.
    pub fn expire_tokens(&self) {
        self.world.expire_tokens();
    }

    /// Puts the sandbox's clock forward, which tokens expire by.
    pub fn advance(&self, by: Duration) {
        self.world.advance(by);
    }

    /// The first refresh token of a new grant for the location.
    pub fn grant(&self, location: &str) -> String {
        self.world.grants.grant(location)
    }

    /// The app is taken away from the location, with all that it was granted.
    pub fn uninstall(&self, location: &str) {
        self.world.grants.uninstall(&self.world, location);
    }

    /// From now on events about changes are sent there.
    ///
    /// # Panics
    /// When it is no URL.
    pub fn send_events_to(&self, url: &str) {
        self.world.webhooks.send_to(Some(url.parse().expect("a URL")));
    }

    /// What became of events, when it is as wanted.
    pub async fn posted(&self, wanted: impl FnMut(&Posted) -> bool) -> Posted {
        let mut posted = self.world.webhooks.posted();
        // It can only fail when the sender is gone, and this has it.
        posted.wait_for(wanted).await.map(|posted| *posted).unwrap_or_default()
    }

    /// Holds events from now on, so that it can be said which go when.
    pub fn hold_events(&self) -> HeldEvents {
        self.world.webhooks.hold();
        HeldEvents { world: self.world.clone() }
    }

    /// From now on the location is suspended, or is not any more.
    pub fn suspend(&self, location: &str, suspended: bool) {
        self.world.grants.suspend(location, suspended);
    }
}

/// While this lives, events wait. Dropping it lets them go on, in their order.
#[must_use = "events are held only while this lives"]
pub struct HeldEvents {
    world: Arc<World>,
}

impl HeldEvents {
    /// Waits until there are so many, and returns them.
    pub async fn arrived(&self, events: usize) -> Vec<Value> {
        // As above.
        let _ = self.world.webhooks.posted().wait_for(|posted| posted.held >= events).await;
        self.world.webhooks.held()
    }

    /// Sends those at these places, in this order and as often as they are named. The others move up and wait on.
    pub fn send(&self, order: &[usize]) {
        self.world.webhooks.send_held(order);
    }

    /// Sends all, in their order.
    pub fn release(self) {}

    /// Sends none of them.
    pub fn lose(self) {
        self.world.webhooks.release(false);
    }
}

impl Drop for HeldEvents {
    fn drop(&mut self) {
        self.world.webhooks.release(true);
    }
}

fn known(template: &str) {
    assert!(template == route::UNMATCHED || route::is_template(template), "no route {template}");
}
