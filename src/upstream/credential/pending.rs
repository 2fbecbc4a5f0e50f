//! Installations that were begun and not finished: what makes a callback the answer to a question of ours, at whichever gateway it arrives.
//!
//! A `state` proves itself, with a key that comes of the app's secret: nobody has to remember it. It belongs to one location and to the browser that
//! asked (its cookie), ends after ten minutes, and works once: at one gateway, and at all that share a Redis.

use std::collections::VecDeque;
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use aws_lc_rs::hmac::{self, HMAC_SHA256};
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use secrecy::ExposeSecret;

use super::endpoint::App;
use crate::clock::Clock;
use crate::replicas::Link;

/// How long a person may take to grant access.
const LASTS: Duration = Duration::from_secs(600);

/// Most that are remembered as finished.
const MOST: usize = 1000;

/// What keys for this are made for, so that they are good for nothing else.
const PURPOSE: &str = "contacts-gateway: states of installations";

/// A random number and when it ends, seconds since 1970; then the tag of both and of the cookie.
const NONCE: usize = 16;
const HEAD: usize = NONCE + size_of::<u64>();
const TAG: usize = 32;

/// An installation that was begun.
pub struct Begun {
    /// What comes back with the code.
    pub state: String,
    /// What the browser keeps meanwhile.
    pub cookie: String,
}

/// What proves states of one location. No `Debug`: it is a secret.
pub struct StateKey(hmac::Key);

impl StateKey {
    /// All gateways that have the app's secret have it.
    pub fn new(app: &App, location: &str) -> Self {
        let secret = hmac::Key::new(HMAC_SHA256, app.secret.expose_secret().as_bytes());
        let key = hmac::sign(&secret, format!("{PURPOSE}\0{location}").as_bytes());
        Self(hmac::Key::new(HMAC_SHA256, key.as_ref()))
    }

    fn began(&self, Returned(state): &Returned, cookie: &str) -> bool {
        let (head, tag) = state.split_at(HEAD);
        hmac::verify(&self.0, &[head, cookie.as_bytes()].concat(), tag).is_ok()
    }
}

/// A state that came back, from whomever.
struct Returned([u8; HEAD + TAG]);

impl Returned {
    fn read(state: &str) -> Option<Self> {
        URL_SAFE_NO_PAD.decode(state).ok()?.try_into().ok().map(Self)
    }

    fn ends(&self) -> u64 {
        self.0[NONCE..HEAD].iter().fold(0, |seconds, byte| seconds << 8 | u64::from(*byte))
    }
}

/// All that were begun, of which only those are remembered that were finished.
pub struct Pending {
    clock: Clock,
    /// Where other gateways are told which were.
    link: Option<Link>,
    finished: Mutex<VecDeque<Returned>>,
}

impl Pending {
    /// None so far.
    pub fn new(clock: Clock, link: Option<Link>) -> Self {
        Self { clock, link, finished: Mutex::default() }
    }

    /// Begins one; `None` where the system has no random numbers.
    pub fn begin(&self, key: &StateKey) -> Option<Begun> {
        let cookie = URL_SAFE_NO_PAD.encode(random::<32>()?);
        let ends = seconds(self.clock.wall() + LASTS);
        let head = [&random::<NONCE>()?[..], &ends.to_be_bytes()].concat();
        let tag = hmac::sign(&key.0, &[&head[..], cookie.as_bytes()].concat());
        Some(Begun { state: URL_SAFE_NO_PAD.encode([&head[..], tag.as_ref()].concat()), cookie })
    }

    /// The one whose key it was begun with, once. A wrong guess changes nothing.
    pub async fn finish<'a, T>(
        &self,
        mut keys: impl Iterator<Item = (&'a StateKey, T)>,
        state: &str,
        cookie: &str,
    ) -> Option<T> {
        let returned = Returned::read(state).filter(|returned| seconds(self.clock.wall()) < returned.ends())?;
        let (_, found) = keys.find(|(key, _)| key.began(&returned, cookie))?;
        self.is_first(returned).await.then_some(found)
    }

    /// Whether nobody finished it before. Where Redis is away, that is known of this gateway alone; a code works once in any case.
    async fn is_first(&self, returned: Returned) -> bool {
        let name = URL_SAFE_NO_PAD.encode(&returned.0[HEAD..]);
        {
            let now = seconds(self.clock.wall());
            let mut finished = self.finished.lock().unwrap_or_else(PoisonError::into_inner);
            finished.retain(|one| now < one.ends());
            if finished.iter().any(|one| one.0 == returned.0) {
                return false;
            }
            if finished.len() >= MOST {
                finished.pop_front();
            }
            finished.push_back(returned);
        }
        let Some(link) = &self.link else { return true };
        let mut claim = redis::cmd("SET");
        // Longer than it is good for, by anybody's clock.
        claim.arg(link.name(&format!("finished:{name}"))).arg(1).arg("NX").arg("EX").arg(2 * LASTS.as_secs());
        !matches!(link.call::<Option<String>>(&claim).await, Ok(None))
    }
}

fn seconds(time: SystemTime) -> u64 {
    time.duration_since(UNIX_EPOCH).unwrap_or_default().as_secs()
}

fn random<const N: usize>() -> Option<[u8; N]> {
    let mut bytes = [0; N];
    getrandom::fill(&mut bytes).ok()?;
    Some(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn key(secret: &str, location: &str) -> StateKey {
        StateKey::new(&App { id: "app".into(), secret: secret.into() }, location)
    }

    async fn finish(at: &Pending, keys: &[&StateKey], state: &str, cookie: &str) -> Option<usize> {
        at.finish(keys.iter().enumerate().map(|(n, key)| (*key, n)), state, cookie).await
    }

    #[tokio::test]
    async fn a_state_works_once_in_its_browser_in_its_time_and_at_any_gateway_of_its_app() {
        let clock = Clock::default();
        let [one, two] = [(); 2].map(|()| Pending::new(clock.clone(), None));
        let (here, there, others) = (key("secret", "A"), key("secret", "B"), key("another", "B"));
        let (a, b) = (one.begin(&here).expect("random"), one.begin(&there).expect("random"));
        assert!(a.state != b.state && a.cookie != b.cookie && a.cookie.len() == 43);
        for (state, cookie) in [(&a.state, &b.cookie), (&b.state, &a.cookie), (&a.state, &a.state)] {
            assert_eq!(finish(&one, &[&here, &there], state, cookie).await, None);
        }
        assert_eq!(finish(&two, &[&here, &others], &b.state, &b.cookie).await, None, "of another app or location");
        for gateway in [&one, &two] {
            assert_eq!(finish(gateway, &[&others, &there, &here], &a.state, &a.cookie).await, Some(2));
            assert_eq!(finish(gateway, &[&others, &there, &here], &a.state, &a.cookie).await, None, "it works once");
        }
        clock.advance(LASTS);
        assert_eq!(finish(&one, &[&there], &b.state, &b.cookie).await, None, "it was late");
    }

    #[tokio::test]
    async fn whatever_is_changed_of_a_state_is_seen() {
        let (pending, key) = (Pending::new(Clock::default(), None), key("secret", "A"));
        let Begun { state, cookie } = pending.begin(&key).expect("random");
        let bytes = URL_SAFE_NO_PAD.decode(&state).expect("a state");
        for bit in 0..bytes.len() * 8 {
            let mut bytes = bytes.clone();
            bytes[bit / 8] ^= 1 << (bit % 8);
            let changed = URL_SAFE_NO_PAD.encode(bytes);
            assert_eq!(finish(&pending, &[&key], &changed, &cookie).await, None, "bit {bit}");
        }
        for other in [&state[1..], &format!("{state}A"), &format!("{state}="), "", "?"] {
            assert_eq!(finish(&pending, &[&key], other, &cookie).await, None, "{other}");
        }
        assert_eq!(finish(&pending, &[&key], &state, "").await, None);
        assert_eq!(finish(&pending, &[&key], &state, &cookie).await, Some(0));
    }

    #[tokio::test]
    async fn those_that_are_finished_fill_nothing_and_push_out_none_that_is_not() {
        let clock = Clock::default();
        let (pending, key) = (Pending::new(clock.clone(), None), key("secret", "A"));
        let first = pending.begin(&key).expect("random");
        for _ in 0..=MOST {
            let begun = pending.begin(&key).expect("random");
            assert_eq!(finish(&pending, &[&key], &begun.state, &begun.cookie).await, Some(0));
        }
        let remembered = || pending.finished.lock().expect("a lock").len();
        assert_eq!(remembered(), MOST);
        assert_eq!(finish(&pending, &[&key], &first.state, &first.cookie).await, Some(0));
        clock.advance(LASTS);
        let late = pending.begin(&key).expect("random");
        assert_eq!(finish(&pending, &[&key], &late.state, &late.cookie).await, Some(0));
        assert_eq!(remembered(), 1);
    }
}
