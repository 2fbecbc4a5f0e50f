//! The upstream calls that an operation needs at most, with its variables, when none of them fails.
//!
//! A call is known by its route and by what it asks about, so that what is asked twice is counted once; rows of a list that is not
//! there yet are counted by their number.

mod given;
mod steps;
mod tally;

use std::borrow::Cow;
use std::sync::Arc;

use apollo_compiler::collections::IndexMap;
use apollo_compiler::executable::{self, Fragment, OperationType};
use apollo_compiler::{Name, Node};
use async_graphql::Variables;

use crate::graph::Request;
use crate::graph::cost::{self, Call, Change, Cost, Pages, Rows, owner};
use crate::graph::filter::MOST;
use given::Given;
pub use steps::Table;
use steps::{Step, bytes};
pub use tally::Plan;
use tally::{AtMost, Beginning, Calls, Subject, Tally};

/// What of an operation costs something.
pub struct Steps {
    steps: Box<[Step]>,
    /// Whether its fields run one after the other, and what one of them changes the next has to read anew.
    in_turn: bool,
    /// The fields in it that may cost something, each once.
    pub fields: Arc<[&'static str]>,
}

impl Steps {
    /// Those of an operation.
    pub fn of(operation: &executable::Operation, fragments: &IndexMap<Name, Node<Fragment>>, table: &Table) -> Self {
        let in_turn = operation.operation_type == OperationType::Mutation;
        let steps = table.steps(operation, fragments);
        let mut fields = Vec::new();
        steps::fields(&steps, &mut fields);
        Self { steps, in_turn, fields: fields.into() }
    }

    /// How many bytes they take, about.
    pub fn bytes(&self) -> usize {
        bytes(&self.steps) + size_of_val(&*self.fields)
    }

    /// No fewer calls than it takes, found without a look at what is asked twice or held: a bound that is cheap.
    pub fn at_most(&self, request: &Request, variables: &Variables) -> u64 {
        let mut calls = AtMost::new(request.account().opens_others());
        self.walk(variables, &mut calls);
        calls.count()
    }

    /// The calls that it takes at most: less what the cache holds for `request`, or with nothing held.
    pub fn plan(&self, request: Option<&Request>, variables: &Variables) -> Plan {
        // What a change leaves of what is held, only its answer tells.
        let mut calls = Calls::new(request, !self.in_turn);
        self.walk(variables, &mut calls);
        calls.plan()
    }

    fn walk<T: Tally>(&self, variables: &Variables, tally: &mut T) {
        let mut walk = Walk { given: Given(variables), tally };
        let root = At { who: Who::New, times: 1, told: Told::Whole };
        match self.in_turn {
            false => walk.steps(&self.steps, root),
            true => self.steps.iter().for_each(|step| {
                walk.steps(std::slice::from_ref(step), root);
                walk.tally.turn();
            }),
        }
    }
}

/// Where a walk is: at a contact, or at something that belongs to one.
#[derive(Clone, Copy)]
struct At<'a> {
    who: Who<'a>,
    /// How many of them there are.
    times: u64,
    told: Told<'a>,
}

#[derive(Clone, Copy)]
enum Who<'a> {
    /// The contact with this id.
    Contact(&'a str),
    /// Each of the rows of this list.
    Rows(&'a str),
    /// What this operation makes.
    New,
}

/// What is known of a contact.
#[derive(Clone, Copy)]
enum Told<'a> {
    /// It is read by its id, whatever is asked of it.
    Whole,
    /// What rows tell.
    Rows,
    /// What this row tells.
    Row(&'a dyn Fn(&str) -> bool),
    /// These parts.
    Parts(&'static [&'static str]),
}

impl Told<'_> {
    fn has(self, part: &str, in_rows: bool) -> bool {
        match self {
            Self::Whole => true,
            Self::Rows => in_rows,
            Self::Row(tells) => tells(part),
            Self::Parts(parts) => parts.contains(&part),
        }
    }
}

struct Walk<'a, T> {
    given: Given<'a>,
    tally: &'a mut T,
}

impl<T: Tally> Walk<'_, T> {
    fn steps(&mut self, steps: &[Step], at: At<'_>) {
        for step in steps {
            if self.given.holds(&step.when) {
                self.step(step, at);
            }
        }
    }

    fn step(&mut self, step: &Step, at: At<'_>) {
        match step.cost {
            Cost::Record(call, names) => {
                let given = self.given;
                self.record(step, call, names.iter().map(|name| given.argument(step, name)?.text()).collect());
            }
            Cost::Records(call, name) => self.records(step, call, name),
            Cost::Entities(name, _) => self.entities(step, name),
            Cost::List(pages) => self.list(step, pages),
            Cost::NextPage => {}
            Cost::OfContact(call) => {
                self.about(call, at, None);
                self.steps(&step.inside, at);
            }
            Cost::Contact(call) => {
                self.about(call, at, None);
                self.steps(&step.inside, At { told: Told::Whole, ..at });
            }
            Cost::Part { of, in_rows } => match at.told {
                Told::Whole => self.part(of, at, step.field),
                told if told.has(step.field, *in_rows) => {}
                _ => self.about(of, at, Some(step.field)),
            },
            Cost::Change(change) => self.change(step, change),
            Cost::Watch(scope) => {
                self.tally.watch(*scope);
                self.steps(&step.inside, at);
            }
        }
    }

    /// Counts a call about whom the walk is at.
    fn about(&mut self, call: &'static Call, at: At<'_>, part: Option<&'static str>) {
        match at.who {
            Who::Contact(id) => self.tally.add(call, &Subject::Ids(&[id]), at.times, part),
            Who::Rows(list) => self.tally.add(call, &Subject::Rows(list), at.times, part),
            Who::New => self.tally.add(call, &Subject::New, at.times, part),
        };
    }

    /// Notes what is asked of a record that is read anyway.
    fn part(&mut self, call: &'static Call, at: At<'_>, part: &'static str) {
        if let Who::Contact(id) = at.who {
            self.tally.part(call, id, part);
        }
    }

    /// A record by its ids, of which the first is a contact's.
    fn record(&mut self, step: &Step, call: &'static Call, ids: Option<Vec<Cow<'_, str>>>) {
        let Some(ids) = ids else { return };
        let ids: Vec<&str> = ids.iter().map(|id| &**id).collect();
        if self.tally.add(call, &Subject::Ids(&ids), 1, None)
            && let [contact, ..] = *ids
        {
            self.steps(&step.inside, At { who: Who::Contact(contact), times: 1, told: Told::Whole });
        }
    }

    fn records(&mut self, step: &Step, call: &'static Call, name: &str) {
        let Some(list) = self.given.argument(step, name) else { return };
        let count = self.given.count(list);
        if count > MOST {
            return;
        }
        if !T::LOOKS {
            let at = At { who: Who::New, times: count as u64, told: Told::Whole };
            self.about(call, at, None);
            return self.steps(&step.inside, at);
        }
        let ids: Option<Vec<_>> = self.given.items(list).into_iter().map(|item| item?.text()).collect();
        let mut ids = ids.unwrap_or_default();
        ids.sort_unstable();
        ids.dedup();
        // One that is no id, and none is asked for.
        if ids.iter().all(|id| cost::ids(&[id]).is_some()) {
            ids.into_iter().for_each(|id| self.record(step, call, Some(vec![id])));
        }
    }

    fn entities(&mut self, step: &Step, name: &str) {
        let given = self.given;
        let Some(list) = given.argument(step, name).filter(|list| given.count(*list) <= MOST) else { return };
        for one in given.items(list).into_iter().flatten() {
            let text = |name: &str| given.field(one, name)?.text();
            let of = text("__typename").and_then(|name| step.inside.iter().find(|of| of.field == name));
            if let Some(of) = of
                && let Cost::Record(call, key) = of.cost
            {
                self.record(of, call, key.iter().map(|name| text(name)).collect());
            }
        }
    }

    fn list(&mut self, step: &Step, pages: &'static Pages) {
        let first = match self.given.argument(step, "first").map(|first| first.number()) {
            None => pages.first,
            Some(said) => match said.and_then(|said| usize::try_from(said).ok()) {
                Some(first) if (1..=MOST).contains(&first) => first,
                _ => return,
            },
        };
        let asks_next = |step: &Step| matches!(step.cost, Cost::NextPage) && self.given.holds(&step.when);
        let wants_next = step.inside.iter().any(asks_next);
        let given = self.given;
        let text = |name| given.argument(step, name).and_then(|value| value.text());
        let of = pages.of.map(text);
        let (search, after) = (text("search"), text("after"));
        let of = match of.map(|of| of.and_then(|of| owner(&of))) {
            None => None,
            Some(None) => return,
            of => of.flatten(),
        };
        let rows = Rows { of, search: search.as_deref(), after: after.as_deref(), first, wants_next };
        match self.tally.seen(pages, &rows) {
            Beginning::Refused => {}
            Beginning::Unknown => self.unseen(step, pages, &rows, (first + usize::from(wants_next), 0)),
            Beginning::Seen(seen) => {
                let met = seen.rows.len();
                for row in seen.rows {
                    let who = Who::Contact(row.id.as_str());
                    let told = if row.is_behind { Told::Whole } else { Told::Row(&*row.tells) };
                    let at = At { who, times: 1, told };
                    if row.is_behind {
                        self.about(pages.row, at, None);
                    }
                    self.steps(&step.inside, at);
                }
                self.unseen(step, pages, &rows, (seen.missing, met));
            }
        }
    }

    /// The pages of a list that have to be read: so many rows, after those that were met.
    fn unseen(&mut self, step: &Step, pages: &'static Pages, rows: &Rows<'_>, (mut missing, met): (usize, usize)) {
        let left = rows.first.saturating_sub(met);
        if missing == 0 {
            return;
        }
        let list = if T::LOOKS { format!("{:?}/{:?}/{:?}", rows.of, rows.search, rows.after) } else { String::new() };
        let (all, mut at) = (missing, met);
        while missing > 0 {
            let limit = missing.min(pages.most);
            self.tally.add(&pages.page, &Subject::Page(&list, at, limit), 1, None);
            (missing, at) = (missing - limit, at + limit);
        }
        // Rows that lag behind a change are read by their ids, and those of contacts that are gone are replaced by more rows.
        let late = self.tally.late();
        if late > 0 {
            let met = (all * (1 + pages.spare)) as u64;
            self.tally.add(pages.row, &Subject::Late(&list, all), late.min(met), None);
            self.tally.add(&pages.page, &Subject::Late(&list, all), late.min(pages.spare as u64), None);
        }
        if left > 0 {
            let name = if T::LOOKS { format!("{list}/{met}/{all}") } else { list };
            self.steps(&step.inside, At { who: Who::Rows(&name), times: left as u64, told: Told::Rows });
        }
    }

    fn change(&mut self, step: &Step, change: &'static Change) {
        let given = self.given;
        let ids: Option<Vec<_>> = change.ids.iter().map(|name| given.of_input(step, name)?.text()).collect();
        let Some(ids) = ids else { return };
        let ids: Vec<&str> = ids.iter().map(|id| &**id).collect();
        let subject = if ids.is_empty() { Subject::New } else { Subject::Ids(&ids) };
        let who = ids.first().map_or(Who::New, |contact| Who::Contact(contact));
        if let Some(call) = change.before.filter(|_| self.tally.opens_others()) {
            self.about(call, At { who, times: 1, told: Told::Whole }, None);
            self.tally.turn();
        }
        if self.tally.add(&change.call, &subject, 1, None) {
            self.steps(&step.inside, At { who, times: 1, told: Told::Parts(change.told) });
        }
    }
}
