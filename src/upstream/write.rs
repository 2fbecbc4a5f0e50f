//! A change: sent once, and everything that it touched forgotten before anybody is told what came of it.

use std::fmt::Debug;
use std::future::Future;
use std::sync::{Arc, PoisonError};
use std::time::Duration;

use jiff::Timestamp;
use tokio::time::sleep;

use super::elsewhere::News;
use super::{Account, Asked, Behind, Call, Error, Fault, Lane, MISSING_TTL, Question, Upstream};
use crate::cache::{EntityCache, Epoch, Held, Tag};
use crate::changes::Change;
use crate::spawn;

/// By so much the upstream's clock may be behind: what it says to have been created this long before a change began may have
/// been created by it. Clocks that are kept agree to milliseconds, and some write whole seconds; a form that was sent twice
/// by hand is further apart.
const MOST_SKEW: Duration = Duration::from_secs(2);

/// Something that can be changed upstream, and how.
pub trait Write: Clone + Debug + Send + Sync + 'static {
    /// What came of it.
    type Done: Send + Sync + 'static;

    /// The location that is changed.
    fn account(&self) -> &Arc<Account>;

    /// The one call that changes it.
    fn call(&self) -> Call;

    /// Reads the answer.
    fn read(&self, body: &[u8]) -> Result<Self::Done, Error>;

    /// Tells everything that is not true any more. `None`: it is not known what came of the call.
    fn touched(&self, done: Option<&Self::Done>, tell: &mut dyn FnMut(Tag<'_>));

    /// Tells those who watch what happened. `None`: it is not known what came of the call, and they are told to look.
    fn tell(&self, done: Option<&Self::Done>, tell: &mut dyn FnMut(Change));

    /// From where the change may be missing for a while.
    fn behind<'a>(&'a self, _done: Option<&'a Self::Done>) -> Behind<'a> {
        Behind::Nothing
    }

    /// Puts on the shelf what the answer told of the new state.
    fn keep(&self, _done: &Self::Done, _shelf: &mut Shelf<'_>) {}

    /// Whether what is to be changed is of the location, as far as that can be known.
    fn is_here(&self, _upstream: &Upstream) -> impl Future<Output = Result<bool, Error>> + Send {
        async { Ok(true) }
    }

    /// Whether after this failure it has to be looked whether the change was made all the same.
    fn is_doubtful(&self, error: &Error) -> bool {
        error.is_unclear()
    }

    /// Looks whether the change was made: what was created has a date no earlier than `began`. `None`: it was not, or that cannot be told.
    fn look(
        &mut self,
        upstream: &Upstream,
        began: Timestamp,
        error: &mut Error,
    ) -> impl Future<Output = Option<Self::Done>> + Send;
}

/// What an answer to a change told of the new state, to be held like something read.
pub struct Shelf<'a> {
    upstream: &'a Upstream,
    began: Epoch,
    #[expect(clippy::type_complexity, reason = "it is said once")]
    put: Vec<Box<dyn FnOnce(&EntityCache, Epoch) + 'a>>,
}

impl Shelf<'_> {
    /// The answer to a question; `None`: there is no such thing any more.
    ///
    /// Only what no other change touched meanwhile is kept: of two changes that overlap, nobody here knows which one
    /// the upstream made last, whichever answer came last.
    pub fn put<Q: Question>(&mut self, question: Q, answer: Option<Arc<Q::Answer>>, bytes: usize) {
        let Self { upstream, began, put } = self;
        let slots = upstream.slots(&question, answer.as_deref());
        let epochs = upstream.parts.cache.epochs();
        if !epochs.all_hold(&slots, *began) {
            return;
        }
        let ttl = question.ttl(&upstream.parts.ttls);
        let ttl = if answer.is_some() { ttl } else { ttl.min(MISSING_TTL) };
        put.push(Box::new(move |cache, as_of| {
            let origin = cache.origin(slots, as_of, ttl);
            cache.insert(question.key(), Held { value: answer, origin }, bytes);
        }));
    }
}

impl Upstream {
    /// Makes everything that was made from this stale, at once and for every caller.
    pub fn forget(&self, tag: Tag<'_>) {
        let mut news = News::default();
        news.forget(tag);
        // Before it is forgotten here: what is read from then on is not to be found among what others have read.
        self.tell_elsewhere(&news);
        self.forget_here(tag);
    }

    fn forget_here(&self, tag: Tag<'_>) {
        let _turn = self.parts.forgetting.lock().unwrap_or_else(PoisonError::into_inner);
        self.parts.cache.epochs().forget(tag);
    }

    /// Forgets what somebody else changed in a location, whoever looks at it. `behind`: from where that may be missing for a while.
    pub fn changed_elsewhere(&self, location: &str, behind: Behind<'_>, touched: impl Fn(&mut dyn FnMut(Tag<'_>))) {
        // Before the forgetting: who reads a list after that has to know.
        self.parts.lately.note(location, behind);
        let mut news = News::of(location, behind, false);
        touched(&mut |tag| news.forget(tag));
        // See `forget`.
        self.tell_elsewhere(&news);
        touched(&mut |tag| self.forget_here(tag));
    }

    /// Tells those who watch of a change that was made elsewhere.
    pub fn tell_of(&self, change: Change) {
        let mut news = News::of(&change.location, Behind::Nothing, false);
        news.change(&change);
        self.tell_elsewhere(&news);
        self.parts.changes.publish(change);
    }

    /// Makes a change, begun while its errand has time or not at all.
    ///
    /// It runs in a task of its own: when its caller has gone, what it touched still has to be forgotten when the
    /// answer comes.
    pub async fn change<W: Write>(&self, write: W) -> Result<W::Done, Error> {
        let route = write.call().route();
        let made = spawn::boxed(self.on(self.errand.of_a_change()).make(write.clone()));
        let made = match self.errand.lane {
            // Nobody waits for it, and who looked whether it was made before it has ended might make it twice.
            Lane::Background => Ok(made.await),
            _ => self.errand.in_time(made).await,
        };
        // Whoever is told what came of it may ask another gateway next.
        self.forgotten_elsewhere().await;
        match made {
            Ok(Ok(outcome)) => outcome,
            Ok(Err(_)) => {
                self.doubt(&write);
                Err(Error { is_write: true, ..Error::new(route, Fault::Gateway("the change ended in a panic".into())) })
            }
            Err(_) => {
                self.settle(&write, None, None);
                Err(Error { is_write: true, ..Error::new(route, Fault::Timeout) })
            }
        }
    }

    async fn make<W: Write>(self, mut write: W) -> Result<W::Done, Error> {
        let route = write.call().route();
        match write.is_here(&self).await {
            Ok(true) => {}
            Ok(false) => return Err(Error { reached: false, ..Error::new(route, Fault::NotFound) }),
            // That was a look, and nothing was sent to change anything.
            Err(error) => return Err(Error { reached: false, ..error }),
        }
        let began = self.parts.cache.epochs().now();
        let earliest = (self.parts.cache.clock().wall() - MOST_SKEW).try_into().unwrap_or(Timestamp::MAX);
        let sent = self.send(write.account(), &write.call()).await;
        let error = match sent.and_then(|body| write.read(&body)) {
            Ok(done) => {
                self.settle(&write, Some(&done), Some(began));
                return Ok(done);
            }
            Err(error) => error,
        };
        let mut error = Error { is_write: true, ..error };
        match error.fault {
            // What is held of it is wrong, but nothing was changed just now.
            Fault::NotFound => write.touched(None, &mut |tag| self.forget(tag)),
            _ if error.reached && !error.is_refusal() => self.settle(&write, None, None),
            _ => {}
        }
        if write.is_doubtful(&error) {
            tracing::info!(%error, "looking whether a change was made");
            if let Some(done) = write.look(&self, earliest, &mut error).await {
                self.settle(&write, Some(&done), None);
                return Ok(done);
            }
        }
        if error.is_unclear() {
            self.doubt(&write);
        }
        Err(error)
    }

    /// Forgets once more what a change touches that may still be made, and what was read meanwhile with it; what is read of
    /// it in the next seconds is not kept for long.
    fn doubt<W: Write>(&self, write: &W) {
        let epochs = self.parts.cache.epochs();
        // Before the forgetting: who reads after that has to know.
        write.touched(None, &mut |tag| self.parts.lately.doubt(epochs.slot(tag)));
        self.settle_as(write, None, None, true);
        self.publish(write, None);
    }

    /// Tells a change to those who watch, after what it touched was forgotten.
    fn publish<W: Write>(&self, write: &W, done: Option<&W::Done>) {
        let changes = &self.parts.changes;
        let mut news = News::of(&write.account().location, Behind::Nothing, false);
        if changes.are_watched() || self.parts.replicas.is_some() {
            write.tell(done, &mut |change| {
                news.change(&change);
                changes.publish(change);
            });
            self.tell_elsewhere(&news);
        }
    }

    /// Forgets what a change touched, then keeps what its answer told, if it was one that `began`, and tells those who watch.
    pub fn settle<W: Write>(&self, write: &W, done: Option<&W::Done>, began: Option<Epoch>) {
        self.settle_as(write, done, began, false);
    }

    fn settle_as<W: Write>(&self, write: &W, done: Option<&W::Done>, began: Option<Epoch>, is_doubted: bool) {
        let cache = &self.parts.cache;
        let epochs = cache.epochs();
        // Between the look at what was forgotten meanwhile and the forgetting of one's own, nobody else may forget.
        let turn = self.parts.forgetting.lock().unwrap_or_else(PoisonError::into_inner);
        let mut shelf = Shelf { upstream: self, began: began.unwrap_or_else(|| epochs.now()), put: Vec::new() };
        if let (Some(done), Some(_)) = (done, began) {
            write.keep(done, &mut shelf);
        }
        // Before the forgetting: who reads a list after that has to know.
        self.parts.lately.note(&write.account().location, write.behind(done));
        let mut news = News::of(&write.account().location, write.behind(done), is_doubted);
        write.touched(done, &mut |tag| news.forget(tag));
        // See `forget`.
        self.tell_elsewhere(&news);
        write.touched(done, &mut |tag| epochs.forget(tag));
        let as_of = epochs.now();
        for put in shelf.put {
            put(cache, as_of);
        }
        drop(turn);
        if done.is_some() {
            self.publish(write, done);
        }
    }

    /// Sends the call until it has reached the upstream and was not turned away at its door: from then on it may have
    /// taken effect, and is not sent again.
    async fn send(&self, account: &Account, call: &Call) -> Result<Vec<u8>, Error> {
        let governor = &account.governor;
        let mut last = None;
        for tried in 1.. {
            let mut permit = match governor.admit(&self.errand).await {
                Ok(permit) => permit,
                Err(held) => return Err(held.to_error(call.route(), last)),
            };
            let error = match self.parts.client.send(&self.errand, account, call, &mut permit).await {
                Ok(body) => return Ok(body),
                Err(error) => error,
            };
            drop(permit);
            let untouched = !error.reached || matches!(error.fault, Fault::RateLimited(_));
            let wait = self.parts.retry.wait(tried, &error, fastrand::f64()).filter(|_| untouched);
            match wait.filter(|wait| self.errand.has_time_for(*wait) && error.may_go_again(governor)) {
                Some(wait) => {
                    sleep(wait).await;
                    last = Some(error);
                }
                None => {
                    tracing::warn!(%error, tried, location = &*account.location, "a change failed");
                    return Err(error);
                }
            }
        }
        Err(Error::unsent(call.route(), "the tries never end"))
    }

    /// The answer to a question, from a reading that begins now or later than everything that was forgotten.
    pub async fn read_now<Q: Question>(&self, question: &Q) -> Result<Option<Arc<Q::Answer>>, Error> {
        loop {
            let held = match self.ask(question) {
                Asked::Known(held) => held,
                Asked::Shared(pending) | Asked::Started(pending) => pending.landed().await?,
            };
            // Somebody else's reading may have been content with less.
            if question.is_answered_by(&held) {
                return Ok(held.value);
            }
        }
    }

    /// What a call answers that is nobody's but the caller's: nothing of it is held.
    pub async fn get(&self, account: &Arc<Account>, call: Call) -> Result<Option<Vec<u8>>, Error> {
        self.session_now(account).get(&call).await
    }
}
