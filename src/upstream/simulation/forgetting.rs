//! Forgetting together: gateways that read and change the same things, while what they tell each other is lost, comes twice, too late
//! or in another order, or does not come at all.

use std::collections::HashMap;
use std::fmt;
use std::hash::{Hash, Hasher};
use std::sync::{Arc, Mutex, MutexGuard};
use std::time::Duration;

use jiff::tz::TimeZone;
use reqwest::Url;
use tokio::task::JoinSet;
use tokio::time::{Instant, sleep};

use super::network::{CALM, Network, Weather};
use super::simulate;
use crate::cache::{EntityCache, EntityKey, Kind};
use crate::replicas::{Hears, Replicas, Seal};
use crate::upstream::errand::{Errand, Payer};
use crate::upstream::governor::Allowance;
use crate::upstream::{Account, Behind, Client, Ear, Error, Policy, Question, Route, Session, Ttls, Upstream};

const TTL: Duration = Duration::from_secs(60);

/// How long a call takes to the upstream and back, each, in milliseconds.
const TAKES: [u64; 2] = [5, 50];

/// How many things there are.
const THINGS: u64 = 20;

#[derive(Clone, Copy, Debug)]
struct Case {
    replicas: usize,
    seconds: u64,
    weather: Weather,
    /// For so many seconds in the middle one gateway is cut off from Redis.
    cut: u64,
}

/// A thing upstream, and who saw what of it.
#[derive(Default)]
struct Thing {
    version: usize,
    /// When each change was answered.
    answered: Vec<Option<Instant>>,
    /// The newest that each gateway has made.
    own: HashMap<usize, usize>,
    /// What each gateway read last, and when.
    seen: HashMap<usize, (usize, Instant)>,
}

/// What came of a case.
#[derive(Clone, Debug, Default, PartialEq)]
struct Outcome {
    reads: u32,
    changes: u32,
    /// Reads through the gateway that made a change, after it, that did not show it.
    own_stale: u32,
    /// Reads through another one that began after a change was answered and did not show it, and how long after it, at most.
    stale: u32,
    stalest: Duration,
    /// The longest and the mean time that a change waited for the other gateways.
    waited: (Duration, Duration),
    /// How often a gateway forgot everything.
    forgot_all: u32,
    /// Things that were read anew though what was held was true, and how many of those cost a call.
    for_nothing: u32,
    calls_for_nothing: u32,
}

struct World {
    case: Case,
    network: Network,
    things: Mutex<Vec<Thing>>,
    outcome: Mutex<Outcome>,
}

impl World {
    fn things(&self) -> MutexGuard<'_, Vec<Thing>> {
        self.things.lock().expect("the things")
    }

    fn outcome(&self) -> MutexGuard<'_, Outcome> {
        self.outcome.lock().expect("the outcome")
    }

    async fn way(&self) {
        sleep(Duration::from_millis(self.network.among(TAKES))).await;
    }
}

/// A question for a thing.
#[derive(Clone)]
struct Fact {
    world: Arc<World>,
    account: Arc<Account>,
    replica: usize,
    thing: usize,
}

impl PartialEq for Fact {
    fn eq(&self, other: &Self) -> bool {
        self.thing == other.thing
    }
}

impl Eq for Fact {}

impl Hash for Fact {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.thing.hash(state);
    }
}

impl fmt::Debug for Fact {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Fact({})", self.thing)
    }
}

impl Question for Fact {
    type Answer = usize;

    const KIND: Kind = Kind::Notes;

    fn account(&self) -> &Arc<Account> {
        &self.account
    }

    fn key(&self) -> EntityKey {
        EntityKey::new(self.account.view, Kind::Notes, self.thing.to_string())
    }

    fn route(&self) -> Route {
        Route::read_contacts("a model")
    }

    fn ttl(&self, ttls: &Ttls) -> Duration {
        ttls.notes
    }

    /// As `Session::get` does it, with the model in place of a call.
    async fn fetch(&self, session: &Session) -> Result<Option<(usize, usize)>, Error> {
        let carried = session.carried.as_ref();
        let found = carried.and_then(|carried| carried.take()).flatten();
        let was_known = {
            let things = self.world.things();
            let thing = &things[self.thing];
            let seen = thing.seen.get(&self.replica);
            seen.is_some_and(|(version, at)| *version == thing.version && at.elapsed() < TTL)
        };
        let version = match &found {
            Some(body) => str::from_utf8(body).expect("a text").parse().expect("a number"),
            None => {
                self.world.way().await;
                let version = self.world.things()[self.thing].version;
                self.world.way().await;
                version
            }
        };
        if let Some(carried) = carried {
            carried.note(Some(version.to_string().as_bytes()));
        }
        let mut outcome = self.world.outcome();
        outcome.for_nothing += u32::from(was_known);
        outcome.calls_for_nothing += u32::from(was_known && found.is_none());
        Ok(Some((version, 8)))
    }
}

/// What a gateway hears, counted.
struct Counting(Ear, Arc<World>);

impl Hears for Counting {
    fn forget_all(&self) {
        self.1.outcome().forgot_all += 1;
        self.0.forget_all();
    }

    fn told(&self, text: &str) {
        self.0.told(text);
    }
}

/// One gateway with its cache, and those who ask it.
#[derive(Clone)]
struct Gateway {
    world: Arc<World>,
    replica: usize,
    upstream: Upstream,
    account: Arc<Account>,
}

impl Gateway {
    fn new(world: &Arc<World>, replica: usize) -> Self {
        let link = world.network.link(replica);
        let base: Url = "http://127.0.0.1:9/".parse().expect("an address");
        let client = Client::new(base, Duration::from_secs(1), 1, Arc::default()).expect("a client");
        let ttls = Ttls {
            contact: TTL,
            tasks: TTL,
            notes: TTL,
            appointments: TTL,
            pages: TTL,
            stale_while_revalidate: Duration::ZERO,
            stale_if_error: Duration::ZERO,
        };
        let join = |ear| Some(Replicas::join(link, Seal::default(), Arc::default(), Counting(ear, world.clone())));
        let cache = EntityCache::new(1 << 20, Duration::ZERO, Arc::default(), Default::default());
        let upstream = Upstream::new(client, cache, (Policy { retries: 0 }, ttls), Arc::default(), join);
        let account = Arc::new(Account::new("L", None, TimeZone::UTC, String::new().into(), Allowance::default()));
        Self { world: world.clone(), replica, upstream, account }
    }

    fn thing(&self) -> usize {
        self.world.network.among([0, THINGS - 1]) as usize
    }

    async fn read_on(self) {
        loop {
            sleep(Duration::from_millis(self.world.network.among([0, 200]))).await;
            let (thing, began) = (self.thing(), Instant::now());
            let own = self.world.things()[thing].own.get(&self.replica).copied().unwrap_or_default();
            let errand = Errand::new(Payer(0), Some(began + Duration::from_secs(60)));
            let fact = Fact { world: self.world.clone(), account: self.account.clone(), replica: self.replica, thing };
            let read = self.upstream.on(errand).read_now(&fact).await;
            let version = *read.expect("an answer").expect("a thing");
            let mut things = self.world.things();
            let one = &mut things[thing];
            one.seen.insert(self.replica, (version, Instant::now()));
            let mut outcome = self.world.outcome();
            outcome.reads += 1;
            outcome.own_stale += u32::from(version < own);
            let missed = one.answered[version..].iter().flatten().filter(|answered| **answered < began).min();
            if let Some(answered) = missed {
                outcome.stale += 1;
                outcome.stalest = outcome.stalest.max(began - *answered);
            }
        }
    }

    /// Changes things, as `Upstream::change` ends: what was changed is forgotten and told, and then it is waited for the others.
    async fn change_on(self) {
        let every = 500 * self.world.case.replicas.min(10) as u64;
        loop {
            sleep(Duration::from_millis(self.world.network.among([every / 2, 2 * every]))).await;
            let thing = self.thing();
            self.world.way().await;
            let version = {
                let mut things = self.world.things();
                let one = &mut things[thing];
                one.version += 1;
                one.answered.push(None);
                one.version
            };
            self.world.way().await;
            let tag = self.account.view.tag(Kind::Notes, &thing.to_string()).name();
            let forgotten = Instant::now();
            self.upstream.changed_elsewhere("L", Behind::Nothing, |tell| {
                tell(crate::cache::Tag::named(&tag).expect("a tag"));
            });
            self.world.things()[thing]
                .own
                .entry(self.replica)
                .and_modify(|own| *own = version.max(*own))
                .or_insert(version);
            self.upstream.forgotten_elsewhere().await;
            self.world.things()[thing].answered[version - 1] = Some(Instant::now());
            let mut outcome = self.world.outcome();
            outcome.changes += 1;
            outcome.waited.0 = outcome.waited.0.max(forgotten.elapsed());
            outcome.waited.1 += forgotten.elapsed();
        }
    }
}

fn play(case: Case, seed: u64) -> Outcome {
    simulate(seed, async {
        let world = Arc::new(World {
            case,
            network: Network::new(case.replicas, seed, CALM),
            things: Mutex::new((0..THINGS).map(|_| Thing::default()).collect()),
            outcome: Mutex::default(),
        });
        let mut tasks = JoinSet::new();
        let gateways: Vec<_> = (0..case.replicas).map(|replica| Gateway::new(&world, replica)).collect();
        // Until each hears the others.
        sleep(Duration::from_secs(1)).await;
        *world.outcome() = Outcome::default();
        world.network.becomes(case.weather);
        for gateway in gateways {
            tasks.spawn(gateway.clone().read_on());
            tasks.spawn(gateway.change_on());
        }
        sleep(Duration::from_secs(case.seconds - case.cut) / 2).await;
        if case.cut > 0 {
            world.network.cut(0, true);
            sleep(Duration::from_secs(case.cut)).await;
            world.network.cut(0, false);
        }
        sleep(Duration::from_secs(case.seconds - case.cut) / 2).await;
        let mut outcome = world.outcome().clone();
        outcome.waited.1 /= outcome.changes.max(1);
        outcome
    })
}

const CASE: Case = Case { replicas: 5, seconds: 40, weather: CALM, cut: 0 };

#[test]
fn what_comes_twice_too_late_or_in_another_order_is_seen_by_the_next_read_everywhere() {
    for weather in [CALM, Weather { doubled: 0.1, ..CALM }, Weather { late: 0.1, ..CALM }] {
        let outcome = play(Case { weather, ..CASE }, 1);
        assert!(outcome.reads > 1_000 && outcome.changes > 30, "{outcome:?}");
        assert_eq!((outcome.own_stale, outcome.stale, outcome.forgot_all), (0, 0, 0), "{weather:?}: {outcome:?}");
        assert!(outcome.waited.0 < Duration::from_millis(500), "{weather:?}: {outcome:?}");
    }
}

#[test]
fn what_is_lost_with_its_connection_is_seen_by_the_next_read_everywhere() {
    for broken in [0.01, 0.1, 0.5] {
        let outcome = play(Case { weather: Weather { broken, ..CALM }, ..CASE }, 1);
        assert!(outcome.forgot_all > 0, "{broken}: {outcome:?}");
        assert_eq!((outcome.own_stale, outcome.stale), (0, 0), "{broken}: {outcome:?}");
    }
}

#[test]
fn what_is_lost_without_a_word_is_seen_late_elsewhere_and_at_once_by_who_made_the_change() {
    for (lost, bound) in [(0.01, 1), (0.1, 3), (0.5, 20)] {
        let outcome = play(Case { weather: Weather { lost, ..CALM }, ..CASE }, 1);
        assert_eq!(outcome.own_stale, 0, "{lost}: {outcome:?}");
        assert!(outcome.stalest <= Duration::from_secs(bound), "{lost}: {outcome:?}");
    }
}

#[test]
fn who_is_cut_off_and_back_shows_its_own_changes_and_soon_those_of_others() {
    for cut in [1, 2, 10] {
        // It hears itself for a second more, begins to listen anew after three, and has to be let in.
        let outcome = play(Case { cut, ..CASE }, 1);
        assert!(outcome.own_stale == 0 && outcome.forgot_all > 0, "{cut}: {outcome:?}");
        assert!(outcome.stalest <= Duration::from_secs(cut + 5), "{cut}: {outcome:?}");
    }
}

#[test]
fn the_same_seed_gives_the_same_course() {
    let case = Case { weather: Weather { lost: 0.1, silent: 0.01, broken: 0.01, ..CALM }, seconds: 20, ..CASE };
    assert_eq!(play(case, 7), play(case, 7));
}

/// The table of docs/scale.md.
#[test]
#[cfg(feature = "scale")]
fn a_table_of_forgetting() {
    println!(
        "| gateways | what happens | reads | changes | stale after an own change | stale elsewhere | longest | a change waits, mean and most | all forgotten | read anew for nothing | with a call |"
    );
    println!("|---|---|---|---|---|---|---|---|---|---|---|");
    let row = |what: &str, case: Case| {
        let mut sum = Outcome::default();
        for seed in 1..=3.min(100 / case.replicas as u64) {
            let one = play(case, seed);
            sum.reads += one.reads;
            sum.changes += one.changes;
            sum.own_stale += one.own_stale;
            sum.stale += one.stale;
            sum.stalest = sum.stalest.max(one.stalest);
            sum.waited = (sum.waited.0.max(one.waited.0), sum.waited.1 + one.waited.1 * one.changes);
            sum.forgot_all += one.forgot_all;
            sum.for_nothing += one.for_nothing;
            sum.calls_for_nothing += one.calls_for_nothing;
        }
        let Outcome { reads, changes, own_stale, stale, stalest, waited, forgot_all, for_nothing, calls_for_nothing } =
            sum;
        println!(
            "| {} | {what} | {reads} | {changes} | {own_stale} | {stale} | {:.1} s | {} ms, {} ms | {forgot_all} | {for_nothing} | {calls_for_nothing} |",
            case.replicas,
            stalest.as_secs_f64(),
            (waited.1 / changes).as_millis(),
            waited.0.as_millis(),
        );
    };
    for replicas in [3, 10, 100] {
        let case = Case { replicas, seconds: if replicas == 100 { 20 } else { 120 }, ..CASE };
        row("nothing", case);
        for part in [0.01, 0.1, 0.5] {
            let of = |what: &str| format!("{} % {what}", 100.0 * part);
            row(&of("are lost with their connection"), Case { weather: Weather { broken: part, ..CALM }, ..case });
            row(&of("are lost without a word"), Case { weather: Weather { lost: part, ..CALM }, ..case });
        }
        row("10 % come twice", Case { weather: Weather { doubled: 0.1, ..CALM }, ..case });
        row("10 % are overtaken", Case { weather: Weather { late: 0.1, ..CALM }, ..case });
        row("1 % of commands have no answer", Case { weather: Weather { silent: 0.01, ..CALM }, ..case });
        row("one is cut off for 1 s", Case { cut: 1, ..case });
        row("one is cut off for 10 s", Case { cut: 10, ..case });
    }
}
