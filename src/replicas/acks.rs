//! Who has yet to take what was told. A change is answered when nobody has, so that whoever is asked next has it forgotten.

use std::collections::{BTreeSet, HashMap, VecDeque};

/// A gateway, for as long as it runs.
pub type Member = Box<str>;

/// Whom to wait for.
#[derive(Default)]
pub struct Acks {
    /// By the number of the last thing that a message told, in order.
    waiting: VecDeque<(u64, BTreeSet<Member>)>,
    /// How far each member has taken what was told: its word may be here before Redis says whom to wait for.
    taken: HashMap<Member, u64>,
    done: u64,
}

impl Acks {
    /// Notes that everything up to a number was told to these.
    pub fn told(&mut self, up_to: u64, to: impl IntoIterator<Item = Member>) -> u64 {
        let yet = |member: &Member| self.taken.get(member).is_none_or(|taken| *taken < up_to);
        let to = to.into_iter().filter(yet).collect();
        self.waiting.push_back((up_to, to));
        self.settle()
    }

    /// Notes that a member has taken everything up to a number.
    pub fn took(&mut self, member: &str, up_to: u64) -> u64 {
        let taken = self.taken.entry(member.into()).or_default();
        *taken = up_to.max(*taken);
        for (_, members) in self.waiting.iter_mut().filter(|(number, _)| *number <= up_to) {
            members.remove(member);
        }
        self.settle()
    }

    /// The number of the last thing that somebody may have to be waited for.
    pub fn last(&self) -> u64 {
        self.waiting.back().map_or(self.done, |(number, _)| *number)
    }

    /// The number of the first thing for which somebody is waited for, and who that is.
    pub fn first(&self) -> Option<(u64, &BTreeSet<Member>)> {
        self.waiting.front().map(|(number, members)| (*number, members))
    }

    /// Notes who is there: nobody waits for those who are not. That was asked after everything up to a number was told; who is to take
    /// what came later, Redis said since.
    pub fn there(&mut self, members: &BTreeSet<Member>, asked_after: u64) -> u64 {
        for (_, waiting) in self.waiting.iter_mut().take_while(|(number, _)| *number <= asked_after) {
            waiting.retain(|member| members.contains(member));
        }
        self.taken.retain(|member, _| members.contains(member));
        self.settle()
    }

    /// The number up to which nobody has to be waited for.
    fn settle(&mut self) -> u64 {
        while let Some((number, _)) = self.waiting.pop_front_if(|(_, members)| members.is_empty()) {
            self.done = number;
        }
        self.done
    }
}

/// What was heard of the others, in order: so that it is seen when something is missing.
#[derive(Default)]
pub struct Heard(HashMap<Member, u64>);

impl Heard {
    /// Whether what a member tells follows what it told before. Of whom nothing was heard, nothing was missed: whatever was
    /// read before this gateway heard anything was forgotten then. But who reminds of what it told (`first` is after `last`) has
    /// told something.
    pub fn follows(&mut self, member: &str, (first, last): (u64, u64)) -> bool {
        let before = self.0.get(member).copied();
        self.0.insert(member.into(), last.max(before.unwrap_or_default()));
        before.map_or(first <= last, |before| first <= before + 1)
    }

    /// Forgets those who have gone.
    pub fn there(&mut self, members: &BTreeSet<Member>) {
        self.0.retain(|member, _| members.contains(member));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn members(names: &[&str]) -> BTreeSet<Member> {
        names.iter().map(|name| (*name).into()).collect()
    }

    #[test]
    fn it_is_done_when_the_last_one_has_taken_it() {
        let mut acks = Acks::default();
        assert_eq!(acks.told(2, members(&["b", "c"])), 0);
        assert_eq!(acks.told(3, members(&["b"])), 0);
        assert_eq!(acks.took("b", 3), 0);
        assert_eq!(acks.took("c", 2), 3);
    }

    #[test]
    fn who_answers_before_it_is_known_who_has_to_is_heard() {
        let mut acks = Acks::default();
        assert_eq!(acks.took("b", 1), 0);
        assert_eq!(acks.told(1, members(&["b"])), 1);
        assert_eq!(acks.told(2, members(&["b"])), 1);
    }

    #[test]
    fn nobody_waits_for_who_has_gone() {
        let mut acks = Acks::default();
        assert_eq!(acks.told(1, members(&["b", "c"])), 0);
        let asked_after = acks.last();
        assert_eq!(acks.told(2, members(&["b", "d"])), 0);
        assert_eq!(acks.there(&members(&["b"]), asked_after), 0);
        assert_eq!(acks.took("b", 2), 1);
        // It came since.
        assert_eq!(acks.took("d", 2), 2);
        assert_eq!((acks.told(3, members(&[])), acks.last()), (3, 3));
    }

    #[test]
    fn what_is_missing_is_seen_and_what_comes_twice_is_not_missing() {
        let mut heard = Heard::default();
        assert!(heard.follows("b", (5, 6)));
        assert!(heard.follows("b", (7, 7)) && heard.follows("b", (7, 9)));
        assert!(!heard.follows("b", (11, 12)) && heard.follows("b", (13, 13)));
        heard.there(&members(&[]));
        assert!(heard.follows("b", (20, 20)));
    }

    #[test]
    fn who_is_reminded_sees_whether_the_last_thing_is_missing() {
        let mut heard = Heard::default();
        assert!(heard.follows("b", (1, 3)) && heard.follows("b", (4, 3)));
        assert!(!heard.follows("b", (6, 5)) && heard.follows("b", (6, 5)), "4 and 5 were missing");
        assert!(heard.follows("b", (6, 8)) && heard.follows("b", (6, 5)), "it was on its way for longer");
        assert!(heard.follows("b", (9, 9)) && !heard.follows("c", (2, 1)));
    }
}
