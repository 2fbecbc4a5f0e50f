//! One reading: its calls, sent again where that can help, and what it carries along.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use tokio::time::sleep;

use super::errand::Lane;
use super::governor::Held as HeldBack;
use super::{Account, Call, Carried, Error, Fault, PASSING_TTL, Parts, Question, Upstream, elsewhere};
use crate::cache::{Epoch, Held, Kind};

/// What one reading may use.
pub struct Session {
    pub(super) upstream: Upstream,
    pub(super) account: Arc<Account>,
    pub(super) as_of: Epoch,
    /// Set when the answer will soon be another.
    pub(super) passing: AtomicBool,
    /// What another gateway has read of it, or is to have.
    pub(super) carried: Option<Carried>,
}

impl Session {
    /// The location that is read.
    pub fn account(&self) -> &Account {
        &self.account
    }

    /// Whether lists may not show a late change of their location yet; then what is read of one is not kept for long.
    pub fn reads_behind(&self) -> bool {
        let behind = self.upstream.parts.lately.are_lists_behind(&self.account);
        if behind {
            self.passing.store(true, Ordering::Relaxed);
        }
        behind
    }

    /// Whether a list's row of this contact may be older than what was changed of it through the gateway, or than what may still
    /// be.
    pub fn is_row_behind(&self, id: &str) -> bool {
        let Parts { lately, cache, .. } = &*self.upstream.parts;
        let slot = || cache.epochs().slot(self.account.view.tag(Kind::Contact, id));
        lately.is_row_behind(&self.account, id) || lately.is_itself_in_doubt(slot())
    }

    /// The body of the answer, after retries. `None`: the upstream says that there is no such record.
    pub async fn get(&self, call: &Call) -> Result<Option<Vec<u8>>, Error> {
        if let Some(body) = self.carried.as_ref().and_then(Carried::take) {
            return Ok(body);
        }
        let body = match self.try_until_it_works(call).await {
            Ok(body) => Some(body),
            // A list cannot be missing; whoever says so of one is not the Contacts API.
            Err(error) if error.fault == Fault::NotFound && call.names_a_record() => None,
            Err(error) if error.fault == Fault::NotFound => {
                let why = "the upstream has no such list".into();
                return Err(Error { fault: Fault::Gateway(why), ..error });
            }
            Err(error) => return Err(error),
        };
        if let Some(carried) = &self.carried {
            carried.note(body.as_deref());
        }
        Ok(body)
    }

    async fn try_until_it_works(&self, call: &Call) -> Result<Vec<u8>, Error> {
        let Upstream { parts, errand } = &self.upstream;
        let governor = &self.account.governor;
        let mut last = None;
        for tried in 1.. {
            let mut permit = match governor.admit(errand).await {
                Ok(permit) => permit,
                Err(held) => return Err(held.to_error(call.route(), last)),
            };
            if permit.tries() && errand.lane != Lane::Renewals {
                // It may take long until it is known whether the upstream is there again. Nobody has to wait for that.
                self.upstream.try_aside(self.account.clone(), call.clone(), permit);
                return Err(HeldBack::Down.to_error(call.route(), last));
            }
            permit.resent = tried - 1;
            let error = match parts.client.send(errand, &self.account, call, &mut permit).await {
                Ok(body) => return Ok(body),
                Err(error) => error,
            };
            drop(permit);
            let wait = parts.retry.wait(tried, &error, fastrand::f64());
            match wait.filter(|wait| errand.has_time_for(*wait) && error.may_go_again(governor)) {
                Some(wait) => {
                    tracing::debug!(%error, tried, wait_ms = wait.as_millis() as u64, "trying again");
                    sleep(wait).await;
                    last = Some(error);
                }
                None if error.fault == Fault::NotFound => return Err(error),
                None => {
                    let (location, trace_id) = (&*self.account.location, errand.trace_id());
                    tracing::warn!(%error, tried, location, trace_id, "upstream call failed");
                    return Err(error);
                }
            }
        }
        Err(Error::new(call.route(), Fault::Gateway("the tries never end".into())))
    }

    /// Keeps another thing that this reading carried, if what is held of it does not tell more.
    pub fn prime<Q: Question>(&self, question: &Q, answer: Arc<Q::Answer>, bytes: usize) {
        let Parts { cache, ttls, .. } = &*self.upstream.parts;
        let key = question.key();
        match cache.fresh::<Q::Answer>(&key).map(|held| held.value) {
            // The lists' index lags behind: a row of what was just found missing is older than that.
            Some(None) => return,
            Some(Some(held)) if question.is_satisfied_by(&held) => return,
            _ => {}
        }
        let slots = self.upstream.slots(question, Some(&answer));
        let ttl = question.ttl(ttls);
        let ttl = if self.upstream.parts.lately.is_in_doubt(&slots) { ttl.min(PASSING_TTL) } else { ttl };
        let origin = elsewhere::origin(cache, self.carried.as_ref(), slots, self.as_of, ttl);
        cache.insert(key, Held { value: Some(answer), origin }, bytes);
    }
}
