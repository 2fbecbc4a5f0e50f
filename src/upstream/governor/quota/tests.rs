//! The counts against an upstream whose windows begin with the first call in them.

use proptest::prelude::*;

use super::*;

/// An upstream that counts.
struct Upstream {
    max: u32,
    window: Duration,
    since: Option<Instant>,
    used: u32,
}

impl Upstream {
    fn new(max: u32, window_ms: u64) -> Self {
        Self { max, window: ms(window_ms), since: None, used: 0 }
    }

    /// A call arrives; whether it is refused, and what is told.
    fn count(&mut self, now: Instant) -> (bool, Limits) {
        if self.since.is_none_or(|since| now - since >= self.window) {
            (self.since, self.used) = (Some(now), 0);
        }
        // Calls are counted here as they are sent, and may arrive the other way round: the window begins with the first to arrive.
        self.since = self.since.map(|since| since.min(now));
        self.used += 1;
        let told = Limits {
            max: Some(self.max),
            remaining: Some(self.max.saturating_sub(self.used)),
            window: Some(self.window),
            ..Limits::default()
        };
        (self.used > self.max, told)
    }
}

fn ms(ms: u64) -> Duration {
    Duration::from_millis(ms)
}

fn limits(max: u32, remaining: u32) -> Limits {
    Limits { max: Some(max), remaining: Some(remaining), window: Some(ms(10_000)), ..Limits::default() }
}

/// A quota that knows its limit, at the beginning of a window that ends then.
fn told(max: u32, now: Instant) -> Quota {
    let mut quota = Quota::default();
    let sent = quota.send();
    quota.answer(sent, &limits(max, max - 1), None, now);
    quota
}

#[test]
fn before_anything_is_told_a_few_calls_may_go() {
    let now = Instant::now();
    let mut quota = Quota::default();
    for _ in 0..BEFORE_TOLD {
        assert_eq!(quota.room(now), Room::Now);
        quota.send();
    }
    assert_eq!(quota.room(now), Room::AfterAnswer);
}

#[test]
fn where_no_limit_is_told_there_is_none() {
    let now = Instant::now();
    let mut quota = Quota::default();
    let sent = quota.send();
    quota.answer(sent, &Limits::default(), None, now);
    for _ in 0..10_000 {
        assert_eq!(quota.room(now), Room::Now);
        quota.send();
    }
    assert_eq!(quota.left(now), None);
}

#[test]
fn a_window_that_is_used_up_ends_a_window_after_its_first_answer() {
    let now = Instant::now();
    let mut quota = told(3, now);
    quota.send();
    quota.send();
    assert_eq!((quota.room(now), quota.left(now)), (Room::At(now + ms(10_000)), Some(0)));
    assert_eq!(quota.room(now + ms(9_999)), Room::At(now + ms(10_000)));
    assert_eq!(quota.left(now + ms(10_000)), Some(3));
    // Two are aloft still, and may be counted in the new window.
    assert_eq!(quota.room(now + ms(10_000)), Room::Now);
    quota.send();
    assert_eq!(quota.room(now + ms(10_000)), Room::AfterAnswer);
}

#[test]
fn calls_of_others_with_the_same_credential_are_left_to_them() {
    let now = Instant::now();
    let mut quota = told(10, now);
    let sent = quota.send();
    quota.answer(sent, &limits(10, 3), None, now);
    assert_eq!(quota.left(now), Some(3));
}

#[test]
fn answers_come_in_any_order() {
    let now = Instant::now();
    let mut quota = told(10, now);
    let sent: Vec<Sent> = (0..5).map(|_| quota.send()).collect();
    for (sent, left) in sent.into_iter().zip([4, 8, 5, 7, 6]) {
        quota.answer(sent, &limits(10, left), None, now);
    }
    assert_eq!(quota.left(now), Some(4));
}

#[test]
fn a_limit_that_shrinks_or_grows_holds_at_once() {
    let now = Instant::now();
    let mut quota = told(40, now);
    let sent = quota.send();
    quota.answer(sent, &limits(2, 0), None, now);
    assert_eq!(quota.room(now), Room::At(now + ms(10_000)));
    let next = now + ms(10_000);
    assert_eq!(quota.room(next), Room::Now);
    let sent = quota.send();
    quota.answer(sent, &limits(40, 39), None, next);
    assert_eq!(quota.left(next), Some(39));
}

#[test]
fn a_window_that_began_anew_upstream_is_seen_by_what_is_left() {
    let now = Instant::now();
    let mut quota = told(10, now);
    for left in [8, 7, 6] {
        let sent = quota.send();
        quota.answer(sent, &limits(10, left), None, now);
    }
    let sent = quota.send();
    let later = now + ms(5_000);
    quota.answer(sent, &limits(10, 9), None, later);
    assert_eq!(quota.left(later), Some(9));
    assert_eq!(quota.left(now + ms(14_999)), Some(9));
    assert_eq!(quota.left(now + ms(15_000)), Some(10));
}

#[test]
fn a_refused_call_shuts_the_window_and_the_next_begins_with_one() {
    let now = Instant::now();
    let mut quota = told(10, now);
    let sent = quota.send();
    quota.answer(sent, &limits(10, 0), Some(None), now + ms(100));
    assert_eq!(quota.room(now + ms(100)), Room::At(now + ms(10_000)));
    let next = now + ms(10_000);
    assert_eq!(quota.room(next), Room::Now);
    let sent = quota.send();
    assert_eq!(quota.room(next), Room::AfterAnswer);
    quota.answer(sent, &limits(10, 9), None, next);
    assert_eq!(quota.room(next), Room::Now);
}

#[test]
fn what_the_upstream_asks_for_goes_before_the_window() {
    let now = Instant::now();
    let mut quota = Quota::default();
    let sent = quota.send();
    quota.answer(sent, &Limits::default(), Some(Some(ms(3_000))), now);
    assert_eq!(quota.room(now), Room::At(now + ms(3_000)));
    assert_eq!(quota.room(now + ms(3_000)), Room::Now);
}

#[test]
fn calls_that_get_lost_do_not_shut_a_window_for_ever() {
    let now = Instant::now();
    let mut quota = told(2, now);
    let next = now + ms(10_000);
    assert_eq!(quota.room(next), Room::Now);
    let lost = [quota.send(), quota.send()];
    assert_eq!(quota.room(next), Room::AfterAnswer);
    lost.into_iter().for_each(|sent| quota.lose(sent, true, next + ms(7)));
    assert_eq!(quota.room(next + ms(7)), Room::At(next + ms(10_007)));
    assert_eq!(quota.room(next + ms(10_007)), Room::Now);
    let unsent = quota.send();
    quota.lose(unsent, false, next + ms(10_008));
    assert_eq!(quota.left(next + ms(10_008)), Some(2));
}

#[test]
fn a_day_that_is_used_up_ends_when_it_was_told() {
    let now = Instant::now();
    let day = |left, reset| Limits {
        daily_max: Some(100),
        daily_remaining: Some(left),
        daily_reset: Some(ms(reset)),
        ..limits(10, 9)
    };
    let mut quota = Quota::default();
    let (first, second) = (quota.send(), quota.send());
    quota.answer(first, &day(1, 60_000), None, now);
    // The other one may have been the last.
    assert_eq!(quota.room(now), Room::AfterAnswer);
    quota.answer(second, &day(0, 60_000), None, now);
    assert_eq!(quota.room(now), Room::Tomorrow(now + ms(60_000)));
    assert!(quota.spare(now) != Room::Now);
    assert_eq!(quota.room(now + ms(60_000)), Room::Now);
    let sent = quota.send();
    quota.answer(sent, &day(99, 86_400_000), None, now + ms(60_000));
    assert_eq!(quota.room(now + ms(60_000)), Room::Now);
    assert!(quota.spare(now + ms(60_000)) == Room::Now);
}

#[test]
fn near_the_end_only_those_go_who_are_waited_for() {
    let now = Instant::now();
    let mut quota = told(10, now);
    for _ in 0..7 {
        quota.send();
    }
    assert!(quota.spare(now) == Room::Now);
    quota.send();
    assert!(quota.spare(now) != Room::Now);
    assert_eq!(quota.room(now), Room::Now);
}

proptest! {
    /// Whoever sends when there is room is never refused once the limit is known, however long answers take and in whatever order
    /// they come.
    #[test]
    fn with_room_no_call_is_refused(
        max in 1_u32..12,
        steps in proptest::collection::vec((0_u64..400, 0_u64..300, 0_u64..300), 1..200),
    ) {
        let began = Instant::now();
        let mut upstream = Upstream::new(max, 2_000);
        let mut quota = Quota::default();
        let mut aloft: Vec<(Instant, Sent, (bool, Limits))> = Vec::new();
        let mut now = began;
        let mut knows = false;
        for (pause, there, back) in steps {
            now += ms(pause);
            // Answers that have come by now, the first ones first.
            aloft.sort_by_key(|(at, ..)| *at);
            let come = aloft.iter().take_while(|(at, ..)| *at <= now).count();
            for (at, sent, (refused, told)) in aloft.drain(..come) {
                quota.answer(sent, &told, refused.then_some(None), at);
                knows = true;
            }
            if (knows || aloft.is_empty()) && quota.room(now) == Room::Now {
                let arrives = now + ms(there % 20);
                let counted = upstream.count(arrives);
                prop_assert!(!counted.0, "refused");
                aloft.push((arrives + ms(back), quota.send(), counted));
            }
        }
    }
}

#[test]
fn who_shares_a_limit_blindly_sends_one_first_and_then_its_part_of_what_is_left() {
    let now = Instant::now();
    let mut quota = told(30, now);
    quota.divide(3);
    let later = now + ms(1_000);
    assert_eq!(quota.room(later), Room::Now);
    let first = quota.send();
    assert_eq!(quota.room(later), Room::AfterAnswer, "nobody knows what the others used");
    quota.answer(first, &limits(30, 18), None, later);
    let mut sent = Vec::new();
    while quota.room(later) == Room::Now {
        sent.push(quota.send());
    }
    assert_eq!(sent.len(), 6, "a third of 18");
    for sent in sent {
        quota.answer(sent, &limits(30, 2), None, later);
    }
    assert_eq!(quota.room(later), Room::At(now + ms(10_000)), "each could take the same two");
    quota.divide(1);
    assert_eq!(quota.room(later), Room::Now);
}
