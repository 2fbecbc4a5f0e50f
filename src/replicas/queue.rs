//! What is yet to be told to the others, and in which order. While Redis is away it waits here, within a bound.

use std::collections::{BTreeSet, HashMap, VecDeque};
use std::mem;
use std::time::Duration;

use tokio::time::Instant;

use super::entry::Place;

/// More that waits is not told one by one: all others forget everything.
const MOST: usize = 10_000;

/// Most that goes into one message.
const TOGETHER: usize = 100;

/// For how long it is remembered what was told. Two gateways find out within less that another server is the primary.
const LATELY: Duration = Duration::from_secs(5);

struct Item {
    places: BTreeSet<Place>,
    text: Box<str>,
}

/// A message to the others.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Batch {
    /// The number of the first and of the last thing that is told.
    pub numbers: (u64, u64),
    /// What is forgotten; `None`: everything.
    pub places: Option<BTreeSet<Place>>,
    /// What is told.
    pub texts: Vec<Box<str>>,
}

/// What waits.
#[derive(Default)]
pub struct Queue {
    items: VecDeque<Item>,
    /// The number of the last thing that was put in.
    last: u64,
    /// How many were told.
    told: u64,
    /// Whether so much waited that it was dropped.
    is_lost: bool,
    /// Places of what waits: what the second level has of them may be older than what this gateway knows.
    places: HashMap<Place, usize>,
    /// What was told, and when; `None`: everything was to be forgotten.
    lately: VecDeque<(Instant, Option<Item>)>,
}

impl Queue {
    /// Puts something in; gives its number.
    pub fn put(&mut self, places: BTreeSet<Place>, text: Box<str>) -> u64 {
        self.last += 1;
        if self.items.len() == MOST {
            self.lose();
        }
        if !self.is_lost {
            for place in &places {
                *self.places.entry(*place).or_default() += 1;
            }
            self.items.push_back(Item { places, text });
        }
        self.last
    }

    fn lose(&mut self) {
        self.items.clear();
        self.places.clear();
        self.is_lost = true;
    }

    /// The number of the last thing that was put in.
    pub fn last(&self) -> u64 {
        self.last
    }

    /// What is to be told next. It stays until it is `told`.
    pub fn next(&self) -> Option<Batch> {
        if self.is_lost {
            return Some(Batch { numbers: (self.told + 1, self.last), places: None, texts: Vec::new() });
        }
        let items = || self.items.iter().take(TOGETHER);
        let count = items().count() as u64;
        (count > 0).then(|| Batch {
            numbers: (self.told + 1, self.told + count),
            places: Some(items().flat_map(|item| &item.places).copied().collect()),
            texts: items().map(|item| item.text.clone()).collect(),
        })
    }

    /// Notes that a batch was told.
    pub fn told(&mut self, batch: &Batch) {
        let (_, last) = batch.numbers;
        let now = Instant::now();
        while self.lately.len() >= MOST || self.lately.front().is_some_and(|(at, _)| now - *at > LATELY) {
            self.lately.pop_front();
        }
        if batch.places.is_none() {
            self.lately.push_back((now, None));
            // What came meanwhile was dropped, too, and is yet to be told of.
            self.is_lost = last < self.last;
            self.told = last;
            return;
        }
        // What was dropped since is told of by the next.
        while self.told < last && !self.is_lost {
            self.told += 1;
            let Some(item) = self.items.pop_front() else { continue };
            for place in &item.places {
                if let Some(count) = self.places.get_mut(place) {
                    *count -= 1;
                    if *count == 0 {
                        self.places.remove(place);
                    }
                }
            }
            self.lately.push_back((now, Some(item)));
        }
    }

    /// Has what was told lately told once more. The others may not have heard it: they hear another server since.
    pub fn again(&mut self) {
        for (at, item) in mem::take(&mut self.lately) {
            match item {
                _ if at.elapsed() > LATELY => {}
                Some(Item { places, text }) => {
                    self.put(places, text);
                }
                None => {
                    self.last += 1;
                    self.lose();
                }
            }
        }
    }

    /// What has places that the others were not told of yet.
    pub fn untold(&self) -> Untold {
        match self.is_lost {
            true => Untold::All,
            false => Untold::Some(self.places.keys().copied().collect()),
        }
    }
}

/// Places that the second level is not believed.
pub enum Untold {
    All,
    Some(BTreeSet<Place>),
}

impl Untold {
    /// Whether one of them is among these.
    pub fn concerns(&self, places: &BTreeSet<Place>) -> bool {
        match self {
            Self::All => true,
            Self::Some(untold) => !untold.is_disjoint(places),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn places(names: &[&str]) -> BTreeSet<Place> {
        names.iter().map(|name| Place::of(name)).collect()
    }

    #[test]
    fn what_waits_is_told_in_order_and_is_untold_until_then() {
        let mut queue = Queue::default();
        assert_eq!((queue.put(places(&["a"]), "1".into()), queue.put(places(&["a", "b"]), "2".into())), (1, 2));
        let batch = queue.next().expect("a batch");
        let texts = vec!["1".into(), "2".into()];
        assert_eq!(batch, Batch { numbers: (1, 2), places: Some(places(&["a", "b"])), texts });
        queue.put(places(&["b", "c"]), "3".into());
        queue.told(&batch);
        assert!(queue.untold().concerns(&places(&["b"])) && !queue.untold().concerns(&places(&["a"])));
        assert_eq!(queue.next().map(|batch| batch.numbers), Some((3, 3)));
        queue.told(&queue.next().expect("a batch"));
        assert!(queue.next().is_none() && !queue.untold().concerns(&places(&["a", "b", "c"])));
    }

    #[tokio::test(start_paused = true)]
    async fn what_was_told_lately_is_told_again_under_new_numbers() {
        let mut queue = Queue::default();
        queue.put(places(&["a"]), "1".into());
        queue.told(&queue.next().expect("a batch"));
        tokio::time::advance(LATELY).await;
        queue.put(places(&["b"]), "2".into());
        queue.told(&queue.next().expect("a batch"));
        tokio::time::advance(LATELY / 2).await;
        queue.again();
        let again = Batch { numbers: (3, 3), places: Some(places(&["b"])), texts: vec!["2".into()] };
        assert_eq!(queue.next(), Some(again.clone()));
        assert!(queue.untold().concerns(&places(&["b"])));
        queue.told(&again);
        // Everything, once it was that.
        queue.lose();
        queue.put(places(&["c"]), "4".into());
        queue.told(&queue.next().expect("a batch"));
        queue.again();
        assert_eq!(queue.next().map(|batch| (batch.numbers, batch.places)), Some(((5, 6), None)));
        tokio::time::advance(2 * LATELY).await;
        queue.told(&queue.next().expect("a batch"));
        tokio::time::advance(2 * LATELY).await;
        queue.again();
        assert_eq!(queue.next(), None);
    }

    #[test]
    fn what_is_too_much_becomes_one_forgetting_of_everything() {
        let mut queue = Queue::default();
        let first = (0..=MOST).fold(None, |first, _| {
            queue.put(places(&["a"]), "".into());
            first.or_else(|| queue.next())
        });
        // It was on its way when there were too many.
        queue.told(&first.expect("a batch"));
        assert!(queue.untold().concerns(&places(&["z"])));
        let all = queue.next().expect("a batch");
        assert_eq!((all.numbers, &all.places), ((1, MOST as u64 + 1), &None));
        queue.put(places(&["b"]), "".into());
        queue.told(&all);
        let rest = queue.next().expect("what came meanwhile");
        assert_eq!((rest.numbers, &rest.places), ((MOST as u64 + 2, MOST as u64 + 2), &None));
        queue.told(&rest);
        assert!(queue.next().is_none() && !queue.untold().concerns(&places(&["b"])));
        queue.put(places(&["c"]), "4".into());
        assert_eq!(queue.next().map(|batch| batch.texts), Some(vec!["4".into()]));
    }
}
