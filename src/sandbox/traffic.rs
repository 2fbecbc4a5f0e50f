//! Which calls came: a count for each route, how many at once, and, in tests, a line for each.

use super::{
    lock,
    route::{ROUTES, UNMATCHED},
};
use serde::Serialize;
use serde_json::Value;
use std::{
    collections::BTreeMap,
    sync::{
        Mutex,
        atomic::{AtomicUsize, Ordering::Relaxed},
    },
};

/// One call as it came in.
#[derive(Clone, Debug, PartialEq)]
pub struct Call {
    /// HTTP method.
    pub method: String,
    /// The route's template, for example `GET /contacts/{contactId}`, or `unmatched`.
    pub route: &'static str,
    /// The path as sent, not decoded.
    pub path: String,
    /// The query's pairs, decoded, in order.
    pub query: Vec<(String, String)>,
    /// The location of the token that came along; none for a token that opens nothing.
    pub location: Option<String>,
    /// The body, if it was JSON.
    pub body: Option<Value>,
    /// The version header.
    pub version: Option<String>,
    /// The header that says which trace it is in.
    pub traceparent: Option<String>,
    /// The status that was answered; none while the call is under way, or when its connection was cut.
    pub status: Option<u16>,
}

impl Call {
    /// The value of one query parameter.
    pub fn query(&self, name: &str) -> Option<&str> {
        self.query.iter().find(|(key, _)| key == name).map(|(_, value)| value.as_str())
    }
}

/// What `/__sandbox/calls` answers.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Counts {
    pub routes: BTreeMap<&'static str, usize>,
    pub max_in_flight: usize,
}

/// All counters. One place after the last route counts what fits none.
pub(super) struct Traffic {
    by_route: [AtomicUsize; ROUTES.len() + 1],
    in_flight: AtomicUsize,
    max_in_flight: AtomicUsize,
    /// Kept in tests only: a benchmark would fill the memory.
    log: Option<Mutex<Log>>,
}

#[derive(Default)]
struct Log {
    calls: Vec<Call>,
    /// Grows with each reset, so that a call from before doesn't write its status into a later one.
    generation: usize,
}

/// A call under way; it stops being in flight when this is dropped, also when its client has gone.
pub(super) struct UnderWay<'a> {
    traffic: &'a Traffic,
    line: Option<(usize, usize)>,
}

impl Traffic {
    pub fn new(keep_calls: bool) -> Self {
        Self {
            by_route: [const { AtomicUsize::new(0) }; ROUTES.len() + 1],
            in_flight: AtomicUsize::new(0),
            max_in_flight: AtomicUsize::new(0),
            log: keep_calls.then(Mutex::default),
        }
    }

    /// Counts a call under its row of the table; `call` is only made when lines are kept.
    pub fn arrive(&self, row: Option<usize>, call: impl FnOnce(&'static str) -> Call) -> UnderWay<'_> {
        let row = row.unwrap_or(ROUTES.len());
        self.by_route[row].fetch_add(1, Relaxed);
        let now = self.in_flight.fetch_add(1, Relaxed) + 1;
        self.max_in_flight.fetch_max(now, Relaxed);
        let line = self.log.as_ref().map(|log| {
            let mut log = lock::lock(log);
            log.calls.push(call(key(row)));
            (log.generation, log.calls.len() - 1)
        });
        UnderWay { traffic: self, line }
    }

    pub fn counts(&self) -> Counts {
        let counted = self.by_route.iter().enumerate().map(|(row, count)| (key(row), count.load(Relaxed)));
        Counts {
            routes: counted.filter(|(_, count)| *count > 0).collect(),
            max_in_flight: self.max_in_flight.load(Relaxed),
        }
    }

    pub fn calls(&self) -> Vec<Call> {
        self.log.as_ref().map(|log| lock::lock(log).calls.clone()).unwrap_or_default()
    }

    pub fn reset(&self) {
        for count in &self.by_route {
            count.store(0, Relaxed);
        }
        self.max_in_flight.store(self.in_flight.load(Relaxed), Relaxed);
        if let Some(log) = &self.log {
            let mut log = lock::lock(log);
            log.calls.clear();
            log.generation += 1;
        }
    }
}

fn key(row: usize) -> &'static str {
    ROUTES.get(row).map_or(UNMATCHED, |route| route.template)
}

impl UnderWay<'_> {
    pub fn answered(&self, status: u16) {
        let (Some(log), Some((generation, line))) = (&self.traffic.log, self.line) else {
            return;
        };
        let mut log = lock::lock(log);
        if log.generation == generation {
            log.calls[line].status = Some(status);
        }
    }
}

impl Drop for UnderWay<'_> {
    fn drop(&mut self) {
        self.traffic.in_flight.fetch_sub(1, Relaxed);
    }
}
