//! The shared limit: gateways that come and go and lose answers, against an upstream that counts as the sandbox does.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, MutexGuard};
use std::time::Duration;

use tokio::task::JoinSet;
use tokio::time::{Instant, sleep};

use super::network::{CALM, Network, Weather};
use super::simulate;
use crate::clock::Clock;
use crate::upstream::errand::{Errand, Payer};
use crate::upstream::governor::{Allowance, End, Governor, Limits};

const MAX: u32 = 100;
const WINDOW: Duration = Duration::from_secs(10);

/// How long a call takes to the upstream and back, each, in milliseconds.
const TAKES: [u64; 2] = [10, 40];

/// What happens while it runs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Plot {
    Nothing,
    /// Every few seconds one gateway ends, as a crash would end it, and another one begins.
    ComeAndGo,
    /// Every few seconds one stands still, for up to twelve.
    StandStill,
    /// Some have a clock that is a hundredth too fast.
    FastClocks,
    /// One is cut off from Redis, for half of the time.
    CutOff,
    /// Redis loses everything, twice.
    Flush,
    /// Redis' clock is put back by four seconds.
    ClockBack,
    /// Redis' clock is put forward by four seconds.
    ClockForward,
}

#[derive(Clone, Copy, Debug)]
struct Case {
    replicas: usize,
    locations: usize,
    windows: u32,
    weather: Weather,
    plot: Plot,
}

/// What the upstream counted of one location.
#[derive(Default)]
struct Counted {
    since: Option<Instant>,
    in_window: u32,
    /// Calls that were taken, and refused.
    taken: u32,
    refused: u32,
    /// Most in one window, and in any ten seconds.
    most: u32,
    lately: VecDeque<Instant>,
    most_sliding: usize,
}

impl Counted {
    /// Counts one call. A call over the limit counts too.
    fn take(&mut self) -> (u32, bool) {
        let now = Instant::now();
        if self.since.is_none_or(|since| now - since >= WINDOW) {
            (self.since, self.in_window) = (Some(now), 0);
        }
        self.in_window += 1;
        self.most = self.most.max(self.in_window);
        self.lately.push_back(now);
        while self.lately.front().is_some_and(|at| now - *at >= WINDOW) {
            self.lately.pop_front();
        }
        self.most_sliding = self.most_sliding.max(self.lately.len());
        let is_over = self.in_window > MAX;
        if is_over {
            self.refused += 1;
        } else {
            self.taken += 1;
        }
        (MAX.saturating_sub(self.in_window), is_over)
    }
}

/// What one gateway had.
#[derive(Clone, Copy, Default)]
struct Had {
    calls: u32,
    /// How long the unluckiest of them waited.
    longest: Duration,
}

struct World {
    case: Case,
    network: Network,
    upstream: Mutex<Vec<Counted>>,
    had: Mutex<Vec<Had>>,
}

impl World {
    fn upstream(&self) -> MutexGuard<'_, Vec<Counted>> {
        self.upstream.lock().expect("the upstream")
    }

    /// A gateway, with those who ask it: whoever has an answer asks again. The first gateways and locations are asked more than the
    /// others, by twice as many as there is room for.
    fn gateway(self: &Arc<Self>, replica: usize) -> JoinSet<()> {
        let (clock, link) = (Clock::default(), self.network.link(replica));
        let mut tasks = JoinSet::new();
        if self.case.plot == Plot::FastClocks && replica.is_multiple_of(2) {
            let clock = clock.clone();
            tasks.spawn(async move {
                loop {
                    sleep(Duration::from_millis(100)).await;
                    clock.advance(Duration::from_millis(1));
                }
            });
        }
        for location in 0..self.case.locations {
            let allowance = Allowance { clock: clock.clone(), link: Some(link.clone()), ..Allowance::default() };
            let governor = Governor::new(allowance, &format!("L{location}"), None);
            let share = 2 * MAX as usize / self.case.replicas.min(20);
            let askers = (share / (1 + replica % 20 + location % 7)).max(1);
            for _ in 0..askers {
                tasks.spawn(self.clone().ask(governor.clone(), (replica, location)));
            }
        }
        tasks
    }

    async fn ask(self: Arc<Self>, governor: Arc<Governor>, (replica, location): (usize, usize)) {
        let errand = Errand::new(Payer(0), None);
        let way = || Instant::now() + Duration::from_millis(self.network.among(TAKES));
        loop {
            let began = Instant::now();
            let Ok(mut permit) = governor.admit(&errand).await else {
                sleep(WINDOW / 100).await;
                continue;
            };
            {
                let mut had = self.had.lock().expect("what each had");
                had[replica].calls += 1;
                had[replica].longest = had[replica].longest.max(began.elapsed());
            }
            self.network.awake(replica, Instant::now()).await;
            permit.goes();
            self.network.awake(replica, way()).await;
            let (left, is_over) = self.upstream()[location].take();
            self.network.awake(replica, way()).await;
            let told = Limits { max: Some(MAX), remaining: Some(left), window: Some(WINDOW), ..Limits::default() };
            permit.answered(&told, is_over.then_some(None));
            permit.end(End::Good, true);
        }
    }

    async fn unfold(self: &Arc<Self>) {
        let Case { replicas, windows, plot, .. } = self.case;
        let whole = WINDOW * windows;
        let until = Instant::now() + whole;
        let mut gateways: Vec<JoinSet<()>> = (0..replicas).map(|replica| self.gateway(replica)).collect();
        let one = || self.network.among([0, replicas as u64 - 1]) as usize;
        match plot {
            Plot::Nothing | Plot::FastClocks => {}
            Plot::ComeAndGo => {
                while Instant::now() + WINDOW / 2 < until {
                    sleep(Duration::from_millis(self.network.among([1_000, 4_000]))).await;
                    let who = one();
                    gateways[who] = JoinSet::new();
                    self.network.close(who);
                    sleep(Duration::from_millis(self.network.among([0, 1_000]))).await;
                    gateways[who] = self.gateway(who);
                }
            }
            Plot::StandStill => {
                while Instant::now() + WINDOW / 2 < until {
                    sleep(Duration::from_millis(self.network.among([1_000, 4_000]))).await;
                    self.network.pause(one(), Duration::from_millis(self.network.among([100, 12_000])));
                }
            }
            Plot::CutOff => {
                sleep(whole / 4).await;
                self.network.cut(0, true);
                sleep(whole / 2).await;
                self.network.cut(0, false);
            }
            Plot::Flush => {
                for _ in 0..2 {
                    sleep(whole / 3 + WINDOW / 3).await;
                    self.network.flush();
                }
            }
            Plot::ClockBack | Plot::ClockForward => {
                sleep(whole / 3 + WINDOW / 3).await;
                self.network.put_clock(if plot == Plot::ClockBack { -4_000 } else { 4_000 });
            }
        }
        // Until the last window is about to end.
        tokio::time::sleep_until(until).await;
    }
}

/// What came of a case.
#[derive(Clone, Debug, PartialEq)]
struct Outcome {
    taken: u32,
    refused: u32,
    most: u32,
    most_sliding: usize,
    /// The part of all that could be used that was, in the location where that is the least.
    used: f64,
    /// Calls of the gateway that had the fewest, and of the one that had the most.
    calls: (u32, u32),
    /// How long the unluckiest call waited.
    longest: Duration,
    /// How often Redis was asked for each call.
    asked: f64,
}

fn play(case: Case, seed: u64) -> Outcome {
    simulate(seed, async {
        let world = Arc::new(World {
            case,
            network: Network::new(case.replicas, seed, case.weather),
            upstream: Mutex::new((0..case.locations).map(|_| Counted::default()).collect()),
            had: Mutex::new(vec![Had::default(); case.replicas]),
        });
        world.unfold().await;
        let upstream = world.upstream();
        let had = world.had.lock().expect("what each had");
        let sum = |count: fn(&Counted) -> u32| upstream.iter().map(count).sum::<u32>();
        let (taken, refused) = (sum(|one| one.taken), sum(|one| one.refused));
        let all = f64::from(taken + refused);
        let whole = f64::from(MAX * case.windows);
        let calls = || had.iter().map(|had| had.calls);
        Outcome {
            taken,
            refused,
            most: upstream.iter().map(|one| one.most).max().unwrap_or_default(),
            most_sliding: upstream.iter().map(|one| one.most_sliding).max().unwrap_or_default(),
            used: upstream.iter().map(|one| f64::from(one.taken) / whole).fold(1.0, f64::min),
            calls: (calls().min().unwrap_or_default(), calls().max().unwrap_or_default()),
            longest: had.iter().map(|had| had.longest).max().unwrap_or_default(),
            asked: world.network.asked() as f64 / all,
        }
    })
}

const CASE: Case = Case { replicas: 3, locations: 1, windows: 4, weather: CALM, plot: Plot::Nothing };

#[test]
fn the_limit_is_kept_and_used_whatever_the_number_of_gateways_and_locations() {
    for (replicas, locations) in [(3, 1), (10, 1), (100, 1), (3, 10), (10, 10)] {
        let outcome = play(Case { replicas, locations, ..CASE }, 1);
        assert_eq!((outcome.refused, outcome.most), (0, MAX), "{replicas} x {locations}: {outcome:?}");
        assert!(outcome.used >= 0.9, "{replicas} x {locations}: {outcome:?}");
        assert!(outcome.calls.0 > 0 && outcome.longest < 4 * WINDOW, "{replicas} x {locations}: {outcome:?}");
    }
}

#[test]
fn gateways_that_come_and_go_and_clocks_that_are_wrong_send_nothing_past_it() {
    for plot in [Plot::ComeAndGo, Plot::FastClocks, Plot::Flush, Plot::ClockBack, Plot::ClockForward] {
        let outcome = play(Case { replicas: 10, windows: 6, plot, ..CASE }, 1);
        assert_eq!((outcome.refused, outcome.most), (0, MAX), "{plot:?}: {outcome:?}");
        assert!(outcome.used >= 0.8, "{plot:?}: {outcome:?}");
    }
}

#[test]
fn what_is_sent_past_it_by_those_who_lose_redis_is_little() {
    let case = Case { replicas: 10, windows: 6, ..CASE };
    let lossy = |silent| Case { weather: Weather { silent, ..CALM }, ..case };
    let standing = Case { plot: Plot::StandStill, ..case };
    let cut = Case { plot: Plot::CutOff, ..case };
    for case in [lossy(0.001), lossy(0.01), standing, cut] {
        let outcome = play(case, 1);
        // Whoever is alone has its part of what is left on the way at once, and the others do not know of it.
        assert!(outcome.most <= MAX + MAX / 4 && outcome.used >= 0.9, "{case:?}: {outcome:?}");
    }
}

#[test]
fn the_same_seed_gives_the_same_course() {
    let case = Case { weather: Weather { silent: 0.01, ..CALM }, plot: Plot::ComeAndGo, ..CASE };
    assert_eq!(play(case, 7), play(case, 7));
}

/// The table of docs/scale.md.
#[test]
#[cfg(feature = "scale")]
fn a_table_of_the_limit() {
    println!(
        "| gateways x locations | what happens | used | past it, of all | most in a window | in any 10 s | fewest and most calls of a gateway | longest wait | questions a call |"
    );
    println!("|---|---|---|---|---|---|---|---|---|");
    let row = |what: &str, case: Case| {
        let seeds = if case.locations > 100 { 1 } else { 3 };
        let outcomes: Vec<Outcome> = (1..=seeds).map(|seed| play(case, seed)).collect();
        let each = |of: fn(&Outcome) -> f64| outcomes.iter().map(of).collect::<Vec<f64>>();
        let (least, most) = (
            |all: Vec<f64>| all.into_iter().fold(f64::MAX, f64::min),
            |all: Vec<f64>| all.into_iter().fold(0.0, f64::max),
        );
        let (refused, taken): (u32, u32) =
            outcomes.iter().fold((0, 0), |(refused, taken), one| (refused + one.refused, taken + one.taken));
        println!(
            "| {} x {} | {what} | {:.0} % | {refused} of {} | {} | {} | {}, {} | {:.0} s | {:.2} |",
            case.replicas,
            case.locations,
            100.0 * least(each(|one| one.used)),
            refused + taken,
            most(each(|one| one.most.into())),
            most(each(|one| one.most_sliding as f64)),
            least(each(|one| one.calls.0.into())),
            most(each(|one| one.calls.1.into())),
            most(each(|one| one.longest.as_secs_f64())),
            most(each(|one| one.asked)),
        );
    };
    for (replicas, locations) in [3, 10, 100].into_iter().flat_map(|replicas| [(replicas, 1), (replicas, 10)]) {
        row("calm", Case { replicas, locations, windows: 6, ..CASE });
    }
    for replicas in [3, 10, 100] {
        let case = Case { replicas, windows: 6, ..CASE };
        let plots = [
            (Plot::ComeAndGo, "gateways crash and others begin"),
            (Plot::StandStill, "one at a time stands still, up to 12 s"),
            (Plot::FastClocks, "half of the clocks are 1 % fast"),
            (Plot::CutOff, "one is cut off from Redis for 30 s"),
            (Plot::Flush, "Redis is flushed twice"),
            (Plot::ClockBack, "Redis' clock is put back 4 s"),
            (Plot::ClockForward, "Redis' clock is put forward 4 s"),
        ];
        plots.into_iter().for_each(|(plot, what)| row(what, Case { plot, ..case }));
        for silent in [0.001, 0.01, 0.05] {
            let what = format!("{} % of commands have no answer", 100.0 * silent);
            row(&what, Case { weather: Weather { silent, ..CALM }, ..case });
        }
    }
    for (replicas, windows) in [(3, 2), (10, 2), (100, 1)] {
        row("calm", Case { replicas, locations: 1000, windows, ..CASE });
    }
}
