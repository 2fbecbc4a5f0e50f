//! Which answers that were kept are told of, found out before anything is made for their spans: most are not, and they take less time
//! than a span does.

use std::cell::Cell;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use opentelemetry::Context;
use opentelemetry::trace::{SpanId, SpanKind, TraceId};
use opentelemetry_sdk::trace::{IdGenerator, RandomIdGenerator, SamplingDecision, ShouldSample};
use tokio::time::Instant;

thread_local! {
    /// The id that the trace which this thread begins next is sampled by.
    static DRAWN: Cell<Option<TraceId>> = const { Cell::new(None) };
}

/// The sampler that the environment names, and how it is asked about answers that were kept.
pub struct Sampling {
    sampler: Box<dyn ShouldSample>,
    spaced: Option<Spaced>,
}

impl Sampling {
    /// `is_chosen`: the environment names a sampler, which is kept to for all answers.
    pub fn new(sampler: Box<dyn ShouldSample>, is_chosen: bool) -> Self {
        Self { sampler, spaced: (!is_chosen).then(Spaced::new) }
    }

    /// Whether the span of an answer that was kept is sampled; one without a parent then has to be begun next.
    pub fn takes_kept(&self, parent: Option<&Context>, began: Instant) -> bool {
        if parent.is_some() {
            return self.takes(parent, TraceId::INVALID);
        }
        if self.spaced.as_ref().is_some_and(|spaced| !spaced.is_due(began)) {
            return false;
        }
        let drawn = RandomIdGenerator::default().new_trace_id();
        let takes = self.takes(None, drawn);
        if takes {
            DRAWN.set(Some(drawn));
        }
        takes
    }

    fn takes(&self, parent: Option<&Context>, trace: TraceId) -> bool {
        let result = self.sampler.should_sample(parent, trace, "", &SpanKind::Server, &[], &[]);
        result.decision != SamplingDecision::Drop
    }
}

/// Random ids, but for a trace whose id was drawn to find out whether it is sampled: the library's sampler then says the same again.
#[derive(Debug, Default)]
pub struct Ids(RandomIdGenerator);

impl IdGenerator for Ids {
    fn new_trace_id(&self) -> TraceId {
        DRAWN.take().unwrap_or_else(|| self.0.new_trace_id())
    }

    fn new_span_id(&self) -> SpanId {
        self.0.new_span_id()
    }
}

/// Lets one through in each span of time.
struct Spaced {
    start: Instant,
    /// From when on the next is let through, in milliseconds since the start.
    next: AtomicU64,
}

impl Spaced {
    const EVERY: Duration = Duration::from_millis(50);

    fn new() -> Self {
        Self { start: Instant::now(), next: AtomicU64::new(0) }
    }

    fn is_due(&self, now: Instant) -> bool {
        let millis = |time: Duration| u64::try_from(time.as_millis()).unwrap_or(u64::MAX);
        let now = millis(now.saturating_duration_since(self.start));
        let next = self.next.load(Ordering::Relaxed);
        let after = now.saturating_add(millis(Self::EVERY));
        now >= next && self.next.compare_exchange(next, after, Ordering::Relaxed, Ordering::Relaxed).is_ok()
    }
}

#[cfg(test)]
mod tests {
    use opentelemetry::trace::{SpanContext, TraceContextExt, TraceFlags, TraceState};
    use opentelemetry_sdk::trace::Sampler;

    use super::*;

    fn within(flags: TraceFlags, trace: u128) -> Context {
        let span = SpanContext::new(TraceId::from(trace), SpanId::from(1), flags, true, TraceState::NONE);
        Context::new().with_remote_span_context(span)
    }

    fn library() -> Box<dyn ShouldSample> {
        Sampler::ParentBased(Box::new(Sampler::AlwaysOn)).into()
    }

    #[tokio::test(start_paused = true)]
    async fn where_no_sampler_is_named_few_are_told_of_that_nobody_traces() {
        let sampling = Sampling::new(library(), false);
        let sampled = within(TraceFlags::SAMPLED, 7);
        let mut told = Vec::new();
        for millis in 0..200_u32 {
            if sampling.takes_kept(None, Instant::now()) {
                told.push(millis);
                assert!(Ids::default().new_trace_id() != TraceId::INVALID);
            }
            assert!(sampling.takes_kept(Some(&sampled), Instant::now()));
            assert!(!sampling.takes_kept(Some(&within(TraceFlags::default(), 7)), Instant::now()));
            tokio::time::advance(Duration::from_millis(1)).await;
        }
        assert_eq!(told, [0, 50, 100, 150]);
    }

    #[tokio::test]
    async fn a_sampler_that_is_named_is_kept_to() {
        let now = Instant::now();
        let all = Sampling::new(library(), true);
        assert!((0..100).all(|_| all.takes_kept(None, now)));
        let none = Sampling::new(Sampler::AlwaysOff.into(), true);
        assert!((0..100).all(|_| !none.takes_kept(None, now)));
        assert!(!none.takes_kept(Some(&within(TraceFlags::SAMPLED, 7)), now));
        DRAWN.set(None);

        // What was sampled by its id has that id, so that everybody who samples by ids says the same of it.
        let some = Sampling::new(Sampler::TraceIdRatioBased(0.25).into(), true);
        let taken = (0..4000).filter(|_| some.takes_kept(None, now)).map(|_| Ids::default().new_trace_id());
        let taken: Vec<_> = taken.collect();
        assert!((800..1200).contains(&taken.len()), "{}", taken.len());
        assert!(taken.iter().all(|id| some.takes(None, *id)));
        // An id is drawn for one trace.
        let next = Ids::default().new_trace_id();
        assert!(!taken.contains(&next));
    }
}
