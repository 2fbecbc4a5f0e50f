//! Those who wait for a place, each who pays with a queue.

use std::collections::VecDeque;

use tokio::sync::oneshot;

use super::permit::Permit;
use crate::upstream::errand::{Errand, Payer};

/// Someone who waits for a place.
pub type Waiting = (Errand, oneshot::Sender<Permit>);

/// Those who wait in one lane, each who pays with a queue.
#[derive(Debug, Default)]
pub struct Line(VecDeque<(Payer, VecDeque<Waiting>)>);

impl Line {
    /// Puts one at the end of the queue of who pays.
    pub fn push(&mut self, waiting: Waiting) {
        let payer = waiting.0.payer;
        match self.0.iter_mut().find(|(other, _)| *other == payer) {
            Some((_, queue)) => queue.push_back(waiting),
            None => self.0.push_back((payer, VecDeque::from([waiting]))),
        }
    }

    /// The first of the payer whose turn it is; whoever has had it goes to the end.
    pub fn pop(&mut self) -> Option<Waiting> {
        let (payer, mut queue) = self.0.pop_front()?;
        let first = queue.pop_front();
        if !queue.is_empty() {
            self.0.push_back((payer, queue));
        }
        first
    }

    /// How many go before one who comes now.
    pub fn ahead(&self, payer: Payer) -> usize {
        let all = self.0.iter().map(|(_, queue)| queue.len());
        let own = self.0.iter().find(|(other, _)| *other == payer).map_or(0, |(_, queue)| queue.len());
        all.map(|len| len.min(own + 1)).sum()
    }

    /// Lets those out who have gone.
    pub fn sweep(&mut self) {
        self.keep(|(_, to)| !to.is_closed());
    }

    /// Sends those away of whom this does not hold.
    pub fn keep(&mut self, holds: impl Fn(&Waiting) -> bool) {
        self.0.iter_mut().for_each(|(_, queue)| queue.retain(&holds));
        self.0.retain(|(_, queue)| !queue.is_empty());
    }

    /// How many wait.
    pub fn len(&self) -> usize {
        self.0.iter().map(|(_, queue)| queue.len()).sum()
    }
}
